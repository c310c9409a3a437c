"""Counting requests before anything else is done for them."""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import Unavailable, error_response
from app.foundation.limits.limiter import GENERAL, RateLimiter, TooManyRequests

POLICY: Final = {
    ("POST", "/api/auth/register"): "register",
    ("POST", "/api/auth/login"): "login",
    ("POST", "/api/auth/forgot-password"): "forgot-password",
    ("POST", "/api/auth/reset-password"): "reset-password",
}
"""Requests with a limit of their own, counted by address."""

HASHING: Final = frozenset({"register", "login", "reset-password"})
"""While the queue for hashing is full, these are refused before they are counted and before any
query: who obeys `Retry-After` during a flood must not be out of tries without having had one."""

UNLIMITED: Final = frozenset({"/health", "/health/ready"})


class RateLimitMiddleware:
    """Counts every request before anything else is done for it, if it can be served at all.

    Args:
        address_of: the client's address, as a key.
        user_of: the user whom a verified access token names, or None.
        refuse_if_full: raises `Unavailable` while no more passwords can be hashed.
    """

    def __init__(
        self,
        app: ASGIApp,
        limiter: RateLimiter,
        address_of: Callable[[Scope], str],
        user_of: Callable[[Scope], str | None],
        refuse_if_full: Callable[[], None],
    ) -> None:
        self.app = app
        self._limiter = limiter
        self._address_of = address_of
        self._user_of = user_of
        self._refuse_if_full = refuse_if_full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await self._admit(scope)
            except TooManyRequests as refusal:
                await error_response(refusal.as_app_error())(scope, receive, send)
                return
            except Unavailable as refusal:
                await error_response(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        # As the router reads it: its patterns end in `$`, which matches before a line break too.
        path = scope["path"].removeprefix(scope.get("root_path", "")).removesuffix("\n")
        if path in UNLIMITED:
            return
        name = POLICY.get((scope["method"], path), GENERAL)
        if name in HASHING:
            self._refuse_if_full()
        if self._limiter.enabled:
            user = self._user_of(scope) if name == GENERAL else None
            await self._limiter.count(name, f"user:{user}" if user else self._address_of(scope))
