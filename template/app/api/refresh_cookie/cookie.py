"""The cookie: `__Host-refresh`, which no script reads and no other host sets.

The prefix makes browsers insist on Secure, on no Domain and on the path `/` (RFC 6265bis §4.1.3.2).
"""

from datetime import datetime
from typing import Final

from starlette.types import Scope

from app.foundation.database import utc_now
from app.foundation.http.headers import request_header

NAME: Final = "__Host-refresh"


def read_cookie(scope: Scope) -> str | None:
    """The refresh token that a browser sent along."""
    header = (request_header(scope, b"cookie") or b"").decode("latin-1")
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == NAME:
            return value
    return None


def set_cookie(token: str, expires_at: datetime, samesite: str) -> bytes:
    """The value of `Set-Cookie` that keeps a token as long as its session lives."""
    seconds = max(0, int((expires_at - utc_now()).total_seconds()))
    return f"{NAME}={token}; Max-Age={seconds}{_attributes(samesite)}".encode("ascii")


def end_cookie(samesite: str) -> bytes:
    """The value of `Set-Cookie` that makes a browser forget it."""
    return f"{NAME}=; Max-Age=0{_attributes(samesite)}".encode("ascii")


def _attributes(samesite: str) -> str:
    return f"; Path=/; Secure; HttpOnly; SameSite={samesite.capitalize()}"
