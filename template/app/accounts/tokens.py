"""JSON Web Tokens: made and read in one place, after RFC 8725 and RFC 9068.

The `kid` header names the key that signed, the key has one algorithm, and the `typ` header tells an
access token from a refresh token. Nothing about a person is inside but the user's id.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import jwt

from app.accounts.key_rings import Key, KeyRing
from app.errors import AppError, ErrorCode

LEEWAY: Final = timedelta(seconds=5)
"""For hosts whose clocks differ."""

MAX_LENGTH: Final = 2048
"""Ours have some 450 characters. Longer ones aren't worth decoding."""

VERIFIED_TOKENS: Final = 4096
"""Remember this many verified tokens, some 4 MB. Failed ones are not remembered."""

KNOWN_HEADERS: Final = 64
"""Remember this many headers. Each key and type has one."""

REQUIRED_CLAIMS: Final = ("iss", "aud", "sub", "sid", "jti", "iat", "exp")


class TokenType(StrEnum):
    """The `typ` header (RFC 8725 §3.11): no type works in place of another."""

    ACCESS = "at+jwt"
    REFRESH = "rt+jwt"
    EMAIL_CHANGE = "ec+jwt"


class InvalidToken(AppError):
    """401: the token is not ours, or no longer valid. The answer says no more than that."""

    def __init__(self) -> None:
        super().__init__(
            401,
            ErrorCode.INVALID_TOKEN,
            "The token is invalid, expired or revoked. Sign in again.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime
    email: str | None = None
    state: str | None = None
    """The claims of a change of address: the new address, and its account."""


class _JWT(jwt.PyJWT):
    """PyJWT with the algorithms of our keys and no other.

    An instance of our own, because other libraries share what is registered with the functions of
    `jwt`.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        super().__init__()
        self._jws = jwt.PyJWS(algorithms=[])
        for algorithm, method in {key.algorithm: key.method for key in keys}.items():
            self._jws.register_algorithm(algorithm, method)
        self.header_of = self._jws.get_unverified_header


def token_hash(token: str) -> str:
    """What the database keeps of a refresh or reset token: SHA-256 in hexadecimal.

    The tokens are long and random, so a fast hash without salt is enough.
    """
    return hashlib.sha256(token.encode()).hexdigest()


class TokenSigner:
    """Signs with the first key of a ring; reads what any key of it signed."""

    def __init__(self, *, access: KeyRing, refresh: KeyRing, issuer: str, audience: str) -> None:
        self.rings = {
            TokenType.ACCESS: access,
            TokenType.REFRESH: refresh,
            TokenType.EMAIL_CHANGE: refresh,
        }
        self._jwt = _JWT((*access.keys, *refresh.keys))
        self._issuer = issuer
        self._audience = audience
        # A client sends its access token with every request, and a refresh token is read for its
        # limit and then for its session. Only the clock changes the result for the same bytes.
        # Without this a read costs a third more, and a refresh a fifth.
        self._verify_once = lru_cache(maxsize=VERIFIED_TOKENS)(self._verify)
        self._find_key = lru_cache(maxsize=KNOWN_HEADERS)(self._key_for)

    def sign(
        self,
        typ: TokenType,
        *,
        user_id: UUID,
        session_id: UUID,
        token_id: UUID,
        issued_at: datetime,
        expires_at: datetime,
        **more: str,
    ) -> str:
        """Make a token. The same arguments give the same token; `more` are claims."""
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": str(token_id),
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
            **more,
        }
        key = self.rings[typ].signing
        headers = {"typ": typ.value, "kid": key.kid}
        return self._jwt.encode(claims, key.signs_with, key.algorithm, headers=headers)

    def read(self, token: str, typ: TokenType) -> Claims:
        """Verify a token of the given type and return its claims.

        Raises:
            InvalidToken: whatever is wrong with it.
        """
        if len(token) > MAX_LENGTH or "=" in token:
            raise InvalidToken
        claims = self._verify_once(token, typ)
        # It may have been verified long ago. What expires in the last second that a date can hold
        # has no moment after it.
        if claims.expires_at <= datetime.now(UTC) - LEEWAY:
            raise InvalidToken
        return claims

    def _verify(self, token: str, typ: TokenType) -> Claims:
        try:
            key = self._find_key(token.partition(".")[0], typ)
            claims = self._jwt.decode(
                token,
                key.verifies_with,
                algorithms=[key.algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": list(REQUIRED_CLAIMS), "strict_aud": True},
            )
            return _checked(claims)
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, OSError, RecursionError):
            raise InvalidToken from None

    def _key_for(self, header_segment: str, typ: TokenType) -> Key:
        """Pick the key by `kid`, and only accept headers exactly like ours. So `jwk`, `jku`, `x5u`
        and `crit` are refused unread (RFC 8725 §3.10).
        """
        # Decode only the header: PyJWT would also decode the claims and the signature, and drop
        # them.
        header = self._jwt.header_of(f"{header_segment}..")
        if header.keys() != {"alg", "typ", "kid"} or header["typ"] != typ:
            raise InvalidToken
        key = self.rings[typ].find(header["kid"])
        if key is None:
            raise InvalidToken
        return key


def _checked(claims: dict[str, Any]) -> Claims:
    """Check the types that PyJWT leaves alone: it takes `"exp": "9999999999"` and floats."""
    if type(claims["iat"]) is not int or type(claims["exp"]) is not int:
        raise InvalidToken
    if not 0 <= claims["iat"] <= claims["exp"]:
        raise InvalidToken
    if not all(type(claims[name]) is str for name in ("iss", "aud", "sub", "sid", "jti")):
        raise InvalidToken
    UUID(claims["jti"])
    return Claims(
        user_id=UUID(claims["sub"]),
        session_id=UUID(claims["sid"]),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        email=claims.get("email"),
        state=claims.get("state"),
    )
