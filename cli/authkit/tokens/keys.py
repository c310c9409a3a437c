"""Keys that verify tokens: a project's signing secrets, or a key the user points at.

A key knows which algorithms it may be used with; the token is never asked (RFC 8725 §3.1). A public
key used as an HMAC secret, or `alg: none`, therefore has nothing to hold on to.
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authkit.terminal.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

# How a key verifies: (algorithm, what was signed, signature) -> right or wrong.
Verify = Callable[[str, bytes, bytes], bool]

HASHES: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
EC_ALGORITHMS: Final = {
    "secp256r1": "ES256",
    "secp384r1": "ES384",
    "secp521r1": "ES512",
    "secp256k1": "ES256K",
}
MIN_SECRET_BYTES: Final = 32
MIN_RSA_BITS: Final = 2048
MAX_KEY_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Key:
    """One key: its id, where it came from, and the only algorithms that it may verify."""

    kid: str | None
    name: str
    kind: str
    algorithms: tuple[str, ...]
    verify: Verify
    weakness: str = ""
    secret: bytes | None = None

    def __str__(self) -> str:
        return f"{self.kid} ({self.name})" if self.kid else self.name


def project_keys(settings: Mapping[str, str]) -> list[Key]:
    """The signing secret and the earlier ones that still verify; HS256 and nothing else."""
    current = settings.get("JWT_SECRET", "")
    earlier = [part.strip() for part in settings.get("JWT_PREVIOUS_SECRETS", "").split(",")]
    named = [("JWT_SECRET", current), *(("JWT_PREVIOUS_SECRETS", secret) for secret in earlier)]
    return [
        shared_secret(secret.encode(), name, kid=key_id(secret.encode()), algorithms=("HS256",))
        for name, secret in named
        if secret
    ]


def key_id(secret: bytes) -> str:
    """The project's `kid`: tells secrets apart and tells nothing about them."""
    return hashlib.sha256(b"kid:" + secret).hexdigest()[:16]


def shared_secret(
    secret: bytes, name: str, *, kid: str | None = None, algorithms: tuple[str, ...] = (*HASHES,)
) -> Key:
    """An HMAC key (RFC 7518 §3.2)."""

    def verify(algorithm: str, signed: bytes, signature: bytes) -> bool:
        expected = hmac.digest(secret, signed, HASHES[algorithm])
        return hmac.compare_digest(expected, signature)

    weakness = ""
    if len(secret) < MIN_SECRET_BYTES:
        weakness = (
            f"{name} has {len(secret)} bytes; HS256 wants at least {MIN_SECRET_BYTES} (RFC 7518 "
            "§3.2), a shorter one can be guessed from any token"
        )
    return Key(kid, name, "a shared secret", algorithms, verify, weakness, secret)


def load_keys(source: str) -> list[Key]:
    """The keys behind `--key @FILE` or `--key env:NAME`: a secret, PEM, a JWK or a JWKS."""
    data, name = _read_source(source)
    text = data.strip()
    if not text:
        raise UsageError(f"the key in {name} is empty")
    if text.startswith(b"-----BEGIN"):
        return [_pem_key(text, name)]
    if text.startswith(b"{"):
        return _json_keys(text, name)
    # An editor ends a file with a line break that is not part of the secret.
    return [shared_secret(data.rstrip(b"\r\n"), name)]


def _read_source(source: str) -> tuple[bytes, str]:
    if source.startswith("env:"):
        name = source.removeprefix("env:")
        value = os.environ.get(name)
        if value is None:
            raise UsageError(f"--key env:{name}: there is no such environment variable")
        return os.fsencode(value), name
    if source.startswith("@"):
        path = Path(source.removeprefix("@"))
        try:
            with path.open("rb") as file:
                return file.read(MAX_KEY_BYTES), path.name
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or "not a path"
            raise UsageError(f"--key: the file can't be read: {reason}", f"{path}") from None
    # What stands there may be the key itself: it is not repeated.
    raise UsageError(
        "--key takes @FILE or env:NAME, never the key itself",
        "the command line is visible to every process; put the key in a file or a variable",
    )


def _pem_key(pem: bytes, name: str) -> Key:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509 import load_pem_x509_certificate

    try:
        if b"CERTIFICATE-----" in pem:
            return _public_key(load_pem_x509_certificate(pem).public_key(), name)
        if b"PRIVATE KEY-----" in pem:
            private = serialization.load_pem_private_key(pem, password=None)
            weakness = f"{name} is the private key; verifying needs only the public one"
            return _public_key(private.public_key(), name, weakness=weakness)
        return _public_key(serialization.load_pem_public_key(pem), name)
    except TypeError:
        raise UsageError(
            f"{name} is an encrypted private key", "give the public key; it is enough to verify"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{name} looks like PEM, but holds no key that can be read") from None


def _public_key(
    public: "PublicKeyTypes",
    name: str,
    *,
    kid: str | None = None,
    declared: str | None = None,
    weakness: str = "",
) -> Key:
    """An asymmetric key; its type, not the token, decides which algorithms it is for."""
    kind, algorithms = _kind_of(public)
    if declared is not None:
        algorithms = tuple(a for a in algorithms if a == declared)
    if not algorithms:
        raise UsageError(f"{name} is {kind}, which verifies no token that authkit knows")

    def verify(algorithm: str, signed: bytes, signature: bytes) -> bool:
        from jwt.algorithms import get_default_algorithms

        method = get_default_algorithms()["EdDSA" if algorithm == "Ed25519" else algorithm]
        return bool(method.verify(signed, public, signature))

    bits = getattr(public, "key_size", MIN_RSA_BITS)
    if kind == "an RSA key" and bits < MIN_RSA_BITS:
        weakness = f"{name} has {bits} bits; RSA wants at least {MIN_RSA_BITS} (RFC 7518 §3.3)"
    return Key(kid, name, kind, algorithms, verify, weakness)


def _kind_of(public: "PublicKeyTypes") -> tuple[str, tuple[str, ...]]:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(public, rsa.RSAPublicKey):
        return "an RSA key", RSA_ALGORITHMS
    if isinstance(public, ec.EllipticCurvePublicKey):
        algorithm = EC_ALGORITHMS.get(public.curve.name)
        return f"an elliptic-curve key ({public.curve.name})", (algorithm,) if algorithm else ()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return "an Ed25519 key", ("EdDSA", "Ed25519")
    if isinstance(public, ed448.Ed448PublicKey):
        return "an Ed448 key", ("EdDSA",)
    return "another kind of key", ()


def _json_keys(text: bytes, name: str) -> list[Key]:
    """A JWK or a JWK set (RFC 7517); entries for encryption or of unknown kinds are passed over."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{name} looks like a JWKS, but is not JSON") from None
    entries = document.get("keys", [document])
    if not isinstance(entries, list):
        raise UsageError(f'{name} looks like a JWKS, but its "keys" is not a list')
    usable = [entry for entry in entries if isinstance(entry, dict) and entry.get("use") != "enc"]
    keys = [key for entry in usable if (key := _jwk_key(entry, name)) is not None]
    if not keys:
        raise UsageError(
            f"{name} holds no key that verifies tokens", "a JWK has a kty: RSA, EC, OKP or oct"
        )
    return keys


def _jwk_key(entry: dict[str, Any], name: str) -> Key | None:
    kid = entry["kid"] if isinstance(entry.get("kid"), str) else None
    declared = entry["alg"] if isinstance(entry.get("alg"), str) else None
    if entry.get("kty") == "oct":
        return _jwk_secret(str(entry.get("k", "")), name, kid, declared or "HS256")
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm

    readers: dict[str, Any] = {
        "RSA": jwt.algorithms.RSAAlgorithm,
        "EC": jwt.algorithms.ECAlgorithm,
        "OKP": jwt.algorithms.OKPAlgorithm,
    }
    try:
        loaded = readers[entry["kty"]].from_jwk(entry)
        public = loaded.public_key() if hasattr(loaded, "private_bytes") else loaded
        return _public_key(public, name, kid=kid, declared=declared)
    except (jwt.PyJWTError, UnsupportedAlgorithm, UsageError, ValueError, TypeError, KeyError):
        # Whatever a stranger's entry is made of, the other keys of the set are still good.
        return None


def _jwk_secret(value: str, name: str, kid: str | None, algorithm: str) -> Key | None:
    try:
        secret = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error, or not ASCII
        return None
    if not secret or algorithm not in HASHES:
        return None
    return shared_secret(secret, name, kid=kid, algorithms=(algorithm,))
