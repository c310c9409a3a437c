"""Hashes of other systems: which there are, what they may cost, and whether a password opens one.

Each is kept as it came until its user signs in; then bcrypt takes its place. What computes a kind
is imported when the first hash of it is met.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Verify = Callable[[bytes, re.Match[str]], bool]

_BASE64: Final = r"[A-Za-z0-9+/]+={0,2}"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a hash is spelled, and how it is compared.

    Args:
        bounds: the most that its parameters may ask for, by their names in the pattern. Each
            attempt to sign in costs that much.
    """

    pattern: re.Pattern[str]
    verify: Verify
    bounds: dict[str, int]

    def parse(self, stored: str) -> re.Match[str] | None:
        found = self.pattern.fullmatch(stored)
        if found and all(1 <= int(found[name]) <= most for name, most in self.bounds.items()):
            return found
        return None


def _argon2id(password: bytes, found: re.Match[str]) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415
    from argon2.low_level import Type, verify_secret  # noqa: PLC0415

    try:
        return verify_secret(found[0].encode(), password, Type.ID)
    except (VerificationError, InvalidHashError):
        return False


def _django_bcrypt(password: bytes, found: re.Match[str]) -> bool:
    import bcrypt  # noqa: PLC0415

    digest = hashlib.sha256(password).hexdigest().encode()
    return bcrypt.checkpw(digest, found["bcrypt"].encode())


def _pbkdf2(password: bytes, found: re.Match[str]) -> bool:
    """Django and Werkzeug take the salt as the text it is, Keycloak as base64."""
    names = found.groupdict()
    salt = names["salt"].encode() if names.get("salt") else _decoded(found["salt64"])
    wanted = bytes.fromhex(found["hex"]) if names.get("hex") else _decoded(found["hash64"])
    made = hashlib.pbkdf2_hmac(found["digest"], password, salt, int(found["n"]), len(wanted))
    return hmac.compare_digest(made, wanted)


def _werkzeug_scrypt(password: bytes, found: re.Match[str]) -> bool:
    wanted = bytes.fromhex(found["hex"])
    n, r, p = (int(found[name]) for name in ("n", "r", "p"))
    salt = found["salt"].encode()
    return hmac.compare_digest(_scrypt(password, salt, n, r, p, len(wanted)), wanted)


def _firebase(password: bytes, found: re.Match[str]) -> bool:
    """Firebase's own: scrypt gives a key, and the signer key encrypted with that is the hash."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415

    from app.user_import.settings import ImportSettings  # noqa: PLC0415

    settings = ImportSettings()
    salt = _decoded(found["salt64"]) + _decoded(settings.firebase_salt_separator)
    key = _scrypt(password, salt, 2 ** int(found["memory"]), int(found["rounds"]), 1, 64)
    cipher = Cipher(algorithms.AES(key[:32]), modes.CTR(bytes(16))).encryptor()
    made = cipher.update(_decoded(settings.firebase_signer_key.get_secret_value()))
    return hmac.compare_digest(made, _decoded(found["hash64"]))


def _scrypt(password: bytes, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    memory = 128 * r * (n + p + 2)
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=2 * memory, dklen=length)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


KINDS: Final = (
    Kind(
        re.compile(
            r"\$argon2id\$v=19\$m=(?P<memory>\d{1,7}),t=(?P<time>\d{1,3}),p=(?P<threads>\d{1,2})"
            r"\$[A-Za-z0-9+/]{11,64}\$[A-Za-z0-9+/]{22,86}"
        ),
        _argon2id,
        {"memory": 131_072, "time": 10, "threads": 16},  # 128 MiB
    ),
    Kind(
        re.compile(r"bcrypt_sha256\$(?P<bcrypt>\$2[abxy]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53})"),
        _django_bcrypt,
        {"cost": 14},
    ),
    Kind(
        re.compile(
            rf"pbkdf2_(?P<digest>sha256)\$(?P<n>\d{{1,8}})\$(?P<salt>[^$]{{1,64}})\$(?P<hash64>{_BASE64})"
        ),
        _pbkdf2,
        {"n": 2_000_000},
    ),
    Kind(
        re.compile(
            rf"keycloak-pbkdf2-(?P<digest>sha1|sha256|sha512)\$(?P<n>\d{{1,8}})"
            rf"\$(?P<salt64>{_BASE64})\$(?P<hash64>{_BASE64})"
        ),
        _pbkdf2,
        {"n": 2_000_000},
    ),
    Kind(
        re.compile(
            r"pbkdf2:(?P<digest>sha1|sha256|sha512):(?P<n>\d{1,8})"
            r"\$(?P<salt>[^$]{1,64})\$(?P<hex>(?:[0-9a-f]{2}){20,64})"
        ),
        _pbkdf2,
        {"n": 2_000_000},
    ),
    Kind(
        re.compile(
            r"scrypt:(?P<n>\d{1,7}):(?P<r>\d{1,2}):(?P<p>\d)"
            r"\$(?P<salt>[^$]{1,64})\$(?P<hex>(?:[0-9a-f]{2}){32,64})"
        ),
        _werkzeug_scrypt,
        {"n": 131_072, "r": 8, "p": 4},
    ),
    Kind(
        re.compile(
            rf"firebase-scrypt\$(?P<rounds>\d{{1,2}})\$(?P<memory>\d{{1,2}})"
            rf"\$(?P<salt64>{_BASE64})\$(?P<hash64>{_BASE64})"
        ),
        _firebase,
        {"rounds": 8, "memory": 16},
    ),
)


def verifier_of(stored: str) -> Callable[[bytes], bool] | None:
    """What compares a password with a hash that is no bcrypt hash; None when no kind is like it."""
    for kind in KINDS:
        if found := kind.parse(stored):
            return lambda password: kind.verify(password, found)
    return None
