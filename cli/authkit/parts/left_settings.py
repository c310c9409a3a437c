"""The settings of parts, which stay in `.env` when their part is removed, and are not read then."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "cookies": ("REFRESH_COOKIE", "REFRESH_COOKIE_SAMESITE"),
    "import": ("FIREBASE_SIGNER_KEY", "FIREBASE_SALT_SEPARATOR"),
    "jwks": ("JWT_PRIVATE_KEYS", "JWT_STAGED_PRIVATE_KEY", "SERVICE_TOKENS"),
    "tokens": ("PERSONAL_TOKENS_END_WITH_RESET",),
}

AFTER_REMOVAL: Final[Mapping[str, list[str]]] = {
    "jwks": [
        "Access tokens signed by a key pair are refused: clients refresh and get new ones.",
        "Services that verify with the public keys find no keys, so they refuse every token.",
    ],
    "cookies": ["Refresh tokens in cookies are not read: browsers sign in again."],
}
"""What else the deployed application does differently."""


def left(values: Mapping[str, str], parts: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """The settings that have a value, and a part that is not there: name, problem and fix.

    Nothing deletes them: a private key that is deleted is gone.
    """
    for part in (part for part in SETTINGS if part not in parts):
        for name in filter(values.get, SETTINGS[part]):
            yield (
                name,
                f"is set, and nothing reads it: the project does not have the part {part}",
                f"remove it, and keep its value if you may need it again; or: authkit add {part}",
            )
