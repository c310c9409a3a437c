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

_BASE64: Final = (
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?|[A-Za-z0-9+/]{4})"
)
"""What can be decoded. A hash that could not be computed would be refused at each sign-in."""

_HASH64: Final = rf"(?=.{{22,88}}\Z)(?P<hash64>{_BASE64})"
"""16 to 64 bytes: what is shorter is guessed, and PBKDF2 takes its rounds anew for each 20."""

_SALT: Final = r"(?P<salt>[ -#%-~]{1,64})"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a hash is spelled, and how it is compared.

    Args:
        bounds: the most that its parameters may ask for, by their names in the pattern. Each
            attempt to sign in costs that much.
        is_possible: whether these parameters go together.
    """

    pattern: re.Pattern[str]
    verify: Verify
    bounds: dict[str, int]
    is_possible: Callable[[re.Match[str]], bool] = bool

    def parse(self, stored: str) -> re.Match[str] | None:
        found = self.pattern.fullmatch(stored)
        if (
            found
            and all(1 <= int(found[name]) <= most for name, most in self.bounds.items())
            and self.is_possible(found)
        ):
            return found
        return None


def _argon2id(password: bytes, found: re.Match[str]) -> bool:
    """In this thread alone. The library's own `verify` starts as many as the hash asks for: beside
    those that hash, and nobody would know how much work it was."""
    from argon2.low_level import ARGON2_VERSION, Type, core, ffi  # noqa: PLC0415

    salt, wanted = _decoded(found["salt64"]), _decoded(found["hash64"])
    made = ffi.new("uint8_t[]", len(wanted))
    inputs = {"pwd": password, "salt": salt, "secret": b"", "ad": b""}
    kept = {name: ffi.from_buffer("uint8_t[]", value) for name, value in inputs.items()}
    lengths = {f"{name}len": len(value) for name, value in inputs.items()}
    work = {"t_cost": int(found["time"]), "m_cost": int(found["memory"])}
    lanes = {"lanes": int(found["lanes"]), "threads": 1, "version": ARGON2_VERSION}
    output = {"out": made, "outlen": len(wanted)}
    context = ffi.new("argon2_context *", kept | lengths | work | lanes | output)
    return core(context, Type.ID.value) == 0 and hmac.compare_digest(bytes(made), wanted)


def _has_memory_for_its_lanes(found: re.Match[str]) -> bool:
    return int(found["memory"]) >= 8 * int(found["lanes"])


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


def _is_power_of_two(found: re.Match[str]) -> bool:
    return int(found["n"]).bit_count() == 1 and int(found["n"]) > 1


def _scrypt(password: bytes, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    memory = 128 * r * (n + p + 2)
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=2 * memory, dklen=length)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


KINDS: Final = (
    Kind(
        re.compile(
            r"\$argon2id\$v=19\$m=(?P<memory>[0-9]{1,7}),t=(?P<time>[0-9]{1,3}),p=(?P<lanes>[0-9]{1,2})"
            rf"\$(?=[^$]{{11,64}}\$)(?P<salt64>{_BASE64})\${_HASH64}"
        ),
        _argon2id,
        {"memory": 131_072, "time": 10, "lanes": 16},  # 128 MiB
        _has_memory_for_its_lanes,
    ),
    Kind(
        re.compile(
            r"bcrypt_sha256\$(?P<bcrypt>\$2[abxy]\$(?:0[4-9]|1[0-4])"
            r"\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31})"
        ),
        _django_bcrypt,
        {},
    ),
    Kind(
        re.compile(rf"pbkdf2_(?P<digest>sha256)\$(?P<n>[0-9]{{1,8}})\${_SALT}\${_HASH64}"),
        _pbkdf2,
        {"n": 2_000_000},
    ),
    Kind(
        re.compile(
            rf"keycloak-pbkdf2-(?P<digest>sha1|sha256|sha512)\$(?P<n>[0-9]{{1,8}})"
            rf"\$(?P<salt64>{_BASE64})\${_HASH64}"
        ),
        _pbkdf2,
        {"n": 2_000_000},
    ),
    Kind(
        re.compile(
            r"pbkdf2:(?P<digest>sha1|sha256|sha512):(?P<n>[0-9]{1,8})"
            rf"\${_SALT}\$(?P<hex>(?:[0-9a-f]{{2}}){{20,64}})"
        ),
        _pbkdf2,
        {"n": 2_000_000},
    ),
    Kind(
        re.compile(
            r"scrypt:(?P<n>[0-9]{1,7}):(?P<r>[0-9]{1,2}):(?P<p>[0-9])"
            rf"\${_SALT}\$(?P<hex>(?:[0-9a-f]{{2}}){{32,64}})"
        ),
        _werkzeug_scrypt,
        {"n": 131_072, "r": 8, "p": 4},
        _is_power_of_two,
    ),
    Kind(
        re.compile(
            rf"firebase-scrypt\$(?P<rounds>[0-9]{{1,2}})\$(?P<memory>[0-9]{{1,2}})"
            rf"\$(?P<salt64>{_BASE64})\${_HASH64}"
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
