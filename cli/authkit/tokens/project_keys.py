"""The keys of a project, as its settings name them.

Its secrets, and with the part `jwks` its key pairs: `JWT_PRIVATE_KEYS` holds PEM texts or files, of
which only the public half is used. A kind of token has keys of its own, as in the project.
"""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from authkit.terminal.errors import UsageError
from authkit.tokens.key_formats import public_half
from authkit.tokens.keys import Key, project_secrets, public_key

SECRET: Final = "JWT_SECRET"  # noqa: S105
ACCESS: Final = "at+jwt"
MAX_FILE_BYTES: Final = 16_384
BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


def project_keys(settings: Mapping[str, str], root: Path, typ: Any) -> list[Key]:
    """What the project verifies a token of that `typ` with."""
    secrets = project_secrets(settings)
    entries = [entry.strip() for entry in settings.get("JWT_PRIVATE_KEYS", "").split(",")]
    named = [("JWT_PRIVATE_KEYS", entry) for entry in entries if entry]
    staged = settings.get("JWT_STAGED_PRIVATE_KEY", "").strip()
    named = named or [(SECRET, SECRET)]
    if staged:
        named.append(("JWT_STAGED_PRIVATE_KEY", staged))
    if typ != ACCESS or named == [(SECRET, SECRET)]:
        return secrets
    keys: list[Key] = []
    for name, entry in named:
        keys += secrets if entry == SECRET else [_pair(name, entry, root)]
    return keys


def other_keys(settings: Mapping[str, str], root: Path, typ: Any) -> dict[str, str]:
    """The names of the keys, by their id, that verify other tokens than those of that `typ`."""
    found = project_secrets(settings)
    with suppress(UsageError):  # whoever needs the pairs is told what is wrong with them
        found += project_keys(settings, root, ACCESS)
    ours = {key.kid for key in project_keys(settings, root, typ)}
    return {key.kid: key.name for key in found if key.kid and key.kid not in ours}


def retired_keys(settings: Mapping[str, str], living: Collection[str | None]) -> dict[str, str]:
    """The dates of `JWT_KEY_DATES`: of a key that there is no more, when it was retired."""
    entries = settings.get("JWT_KEY_DATES", "").split(",")
    dates = dict(entry.strip().split("@", 1) for entry in entries if "@" in entry)
    return {kid: date for kid, date in dates.items() if kid not in living}


def _pair(name: str, entry: str, root: Path) -> Key:
    text = entry if "-----BEGIN" in entry else _file(name, root / entry)
    found = [block for block in BLOCK.findall(text) if block[0].endswith("PRIVATE KEY")]
    if len(found) != 1:
        raise UsageError(f"{name} holds no private key in PEM, or several", "see: authkit doctor")
    [(label, body)] = found
    lines = re.findall(r".{1,64}", re.sub(r"\s|(\\r)?\\n", "", body))
    pem = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----\n"])
    public, members = public_half(pem.encode(), name)
    algorithm = "ES256" if members["kty"] == "EC" else "EdDSA"
    return public_key(public, name, kid=_thumbprint(members), declared=algorithm)


def _file(name: str, path: Path) -> str:
    with suppress(OSError, ValueError):
        if path.is_file():  # a pipe would keep us waiting
            with path.open("rb") as file:
                return file.read(MAX_FILE_BYTES).decode("latin-1")
    raise UsageError(f"a file of {name} can't be read", "see: authkit doctor")


def _thumbprint(members: Mapping[str, Any]) -> str:
    """RFC 7638."""
    needed = {name: members[name] for name in ("crv", "kty", "x", "y") if name in members}
    text = json.dumps(needed, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
