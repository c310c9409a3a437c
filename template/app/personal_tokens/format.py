"""What a personal token looks like: `authkit_pat_`, 43 random characters, and a checksum of 8.

The name in front and the checksum behind are for scanners of repositories and logs: they know one
when they see it, and are not misled by a look-alike. The checksum is no secret.
"""

import secrets
import zlib
from typing import Final

PREFIX: Final = "authkit_pat_"

SECRET_BYTES: Final = 32

LENGTH: Final = len(PREFIX) + 43 + 8

SHOWN: Final = len(PREFIX) + 6
"""Characters that a list shows. The 37 that follow can't be guessed."""


def new_token() -> str:
    body = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    return body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Tell whether this may be one, without a look at the database."""
    return (
        len(token) == LENGTH
        and token.isascii()
        and token.startswith(PREFIX)
        and _checksum(token[:-8]) == token[-8:]
    )


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
