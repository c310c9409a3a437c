"""Private keys as the settings spell them: the name of a PEM file, or the PEM text itself.

A text may be on one line, as `keys stage` writes it, since many places can't hold line breaks. What
is wrong with a key is said without a word of it. Cryptography is imported when there is a key:
it takes each process 9 MB.
"""

import base64
import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jwt.algorithms import get_default_algorithms

from app.accounts.key_rings import Key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

SECRET: Final = "JWT_SECRET"  # noqa: S105
"""In JWT_PRIVATE_KEYS: the secrets, which sign or verify access tokens as well."""

EDDSA: Final = "EdDSA"
ES256: Final = "ES256"
MAKE_ONE: Final = f"leave it out and run `python -m app.manage keys stage --algorithm {EDDSA}`"
ENCRYPTED: Final = (
    "is encrypted; write it decrypted, with `openssl pkey -in FILE`, or `ssh-keygen -p -f FILE` if "
    "it is OpenSSH's"
)
INSTALL: Final = "run `python -m pip install --require-hashes -r requirements-jwks.txt`"

_MAX_FILE_BYTES: Final = 16_384
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_SPELLED_BREAK: Final = re.compile(r"(\\r)?\\n")
"""In a text on one line; no key has a backslash."""
_PUBLIC: Final = ("PUBLIC KEY", "CERTIFICATE")
_THUMBPRINT_MEMBERS: Final = ("crv", "kty", "x", "y")


def key_pair_id(entry: str) -> str:
    """The `kid` of an entry of the settings.

    Raises:
        ValueError: it is no private key that can sign here; says what it is, and the fix.
    """
    return entry if entry == SECRET else read_key_pair(entry).kid


@lru_cache(maxsize=16)
def read_key_pair(entry: str) -> Key:
    """
    Raises:
        ValueError: it is no private key that can sign here; says what it is, and the fix.
    """
    private = _load(_private_pem(_text_of(entry)))
    algorithm = _algorithm_of(private)
    public: Any = private.public_key()
    method = get_default_algorithms()[algorithm]
    return Key(_thumbprint(_public_members(method, public)), algorithm, method, private, public)


def public_jwk(key: Key) -> dict[str, str]:
    """The public half as a JWK (RFC 7517)."""
    members = _public_members(key.method, key.verifies_with)
    return {**members, "kid": key.kid, "alg": key.algorithm, "use": "sig"}


def new_key_pair(algorithm: str) -> str:
    """A new private key: PEM (PKCS #8) on one line."""
    _require_cryptography()
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    make: Any = ed25519.Ed25519PrivateKey.generate
    private = make() if algorithm == EDDSA else ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return one_line(pem.decode())


def one_line(entry: str) -> str:
    """The same entry without line breaks. The name of a file is none, whatever stands in it."""
    if "-----BEGIN" not in entry:
        return entry
    return re.sub(r"\s*\n\s*", "", _SPELLED_BREAK.sub("\n", entry))


def _text_of(entry: str) -> str:
    if "-----BEGIN" in entry:
        return entry
    text = _start_of(entry)
    if text is None:
        raise ValueError(
            f"is no PEM text, nor a file that this user can read; correct the path, or {MAKE_ONE}"
        )
    if len(text) > _MAX_FILE_BYTES:
        raise ValueError(
            f"is a file of more than {_MAX_FILE_BYTES:,} bytes, as no key is; correct the path, or "
            f"{MAKE_ONE}"
        )
    return text


def _start_of(file: str) -> str | None:
    """What stands in a file, if it can be read: a pipe would keep the start waiting for ever."""
    try:
        if not Path(file).is_file():
            return None
        with Path(file).open("rb") as opened:
            return opened.read(_MAX_FILE_BYTES + 1).decode("latin-1")
    except (OSError, ValueError):
        return None


def _private_pem(text: str) -> bytes:
    if "Proc-Type: 4" in text:  # OpenSSL's older way, whose header would not survive one line
        raise ValueError(ENCRYPTED)
    blocks = _BLOCK.findall(text)
    private = [block for block in blocks if block[0].endswith("PRIVATE KEY")]
    if len(private) > 1:
        raise ValueError("holds more than one private key; make each an entry of its own")
    if not private and any(label.endswith(_PUBLIC) for label, _ in blocks):
        raise ValueError(f"is a public key, which can't sign; give the private one, or {MAKE_ONE}")
    if not private:
        raise ValueError(f"is not a private key in PEM; replace it, or {MAKE_ONE}")
    [(label, body)] = private
    lines = re.findall(r".{1,64}", re.sub(r"\s", "", _SPELLED_BREAK.sub("", body)))
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----\n"]).encode()


def _load(pem: bytes) -> "PrivateKeyTypes":
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        if pem.startswith(b"-----BEGIN OPENSSH"):
            return serialization.load_ssh_private_key(pem, password=None)
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError(ENCRYPTED) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"is a broken private key; replace it, or {MAKE_ONE}") from None


def _algorithm_of(private: "PrivateKeyTypes") -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    if isinstance(private, ed25519.Ed25519PrivateKey):
        return EDDSA
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name == "secp256r1":
        return ES256
    raise ValueError(
        f"is neither an Ed25519 key ({EDDSA}) nor a P-256 key ({ES256}), as sign here; "
        f"replace it, or {MAKE_ONE}"
    )


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401, PLC0415
    except ImportError:
        raise ValueError(f"needs the package cryptography; {INSTALL}") from None


def _public_members(method: Any, public: Any) -> dict[str, str]:
    members = method.to_jwk(public, as_dict=True)
    return {name: members[name] for name in _THUMBPRINT_MEMBERS if name in members}


def _thumbprint(members: dict[str, str]) -> str:
    """RFC 7638: of the members that make the key, in their order, as JSON without blanks."""
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode())
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
