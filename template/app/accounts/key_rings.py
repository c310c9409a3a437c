"""The keys that sign tokens: a ring for access tokens, and one for refresh tokens.

Both hold the secrets of the settings. If a folder of the app has a module `key_ring` with a
function `access_ring`, that fills the ring of access tokens with other keys.
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from jwt.algorithms import Algorithm, HMACAlgorithm

from app.config import Settings
from app.foundation.modules import features_with

HS256: Final = "HS256"


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its one algorithm. The key names the algorithm, never the token (RFC 8725 §3.1)."""

    kid: str
    algorithm: str
    method: Algorithm
    """PyJWT's, for that algorithm."""
    signs_with: Any = field(repr=False)
    verifies_with: Any = field(repr=False)


class KeyRing:
    """The keys of one kind of token: the first one signs, all of them verify."""

    def __init__(self, *keys: Key) -> None:
        self.keys = keys
        self.signing = keys[0]
        self._by_id = {key.kid: key for key in reversed(keys)}

    def find(self, kid: object) -> Key | None:
        """The key with exactly this id."""
        return self._by_id.get(kid) if isinstance(kid, str) else None


class _HS256(HMACAlgorithm):
    """HS256 that looks at each secret once.

    At every signature PyJWT checks whether the secret is a PEM, SSH, DER or JWK key by mistake.
    That takes half of the time to sign, a third of the time to verify, and 67 µs of a refresh.
    """

    def __init__(self) -> None:
        super().__init__(self.SHA256)
        self._prepared = lru_cache(super().prepare_key)

    def prepare_key(self, key: str | bytes) -> bytes:
        return self._prepared(key)


_hs256 = _HS256()


def key_id(secret: str) -> str:
    """The `kid` of a signing secret: 16 hexadecimal digits that reveal nothing about it."""
    return hashlib.sha256(b"kid:" + secret.encode()).hexdigest()[:16]


def secret_key(secret: str) -> Key:
    """A shared secret, which signs and verifies with HS256."""
    return Key(key_id(secret), HS256, _hs256, secret.encode(), secret.encode())


def secret_ring(settings: Settings) -> KeyRing:
    """The secret that signs, then the staged one and the earlier ones."""
    verifying = [settings.jwt_staged_secret, *settings.jwt_previous_secrets]
    known = [secret.get_secret_value() for secret in (settings.jwt_secret, *verifying) if secret]
    return KeyRing(*map(secret_key, known))


def access_ring(settings: Settings) -> KeyRing:
    """The ring of access tokens. Only this API reads refresh tokens, so they keep the secrets."""
    ring = secret_ring(settings)
    for module in features_with("key_ring"):
        ring = module.access_ring(settings, ring)
    return ring
