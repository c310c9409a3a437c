"""Keys that verify tokens: a project's signing secrets, and public keys.

A key knows which algorithms it may be used with; the token is never asked (RFC 8725 §3.1). A public
key used as an HMAC secret, or `alg: none`, therefore has nothing to hold on to.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authkit.terminal.errors import UsageError
from authkit.tokens.not_secrets import refuse_public_keys

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


def project_secrets(settings: Mapping[str, str]) -> list[Key]:
    """The signing secret, the staged and the earlier ones; HS256 and nothing else."""
    written = settings.get("JWT_SECRET", "")
    earlier = [part.strip() for part in settings.get("JWT_PREVIOUS_SECRETS", "").split(",")]
    # What was signed with the blanks at its ends, which older projects counted, still verifies.
    current = dict.fromkeys((written.strip(), written))
    named = [
        *(("JWT_SECRET", secret) for secret in current),
        ("JWT_STAGED_SECRET", settings.get("JWT_STAGED_SECRET", "").strip()),
        *(("JWT_PREVIOUS_SECRETS", secret) for secret in earlier),
    ]
    known = [(name, secret.encode()) for name, secret in named if secret]
    for name, secret in known:
        refuse_public_keys(secret, name)
    return [
        shared_secret(secret, name, kid=key_id(secret), algorithms=("HS256",))
        for name, secret in known
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


def public_key(
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
