"""Counting requests before anything else is done for them."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import AppError, error_response
from app.foundation.limits.limiter import RateLimiter
from app.foundation.limits.read_ahead import read_ahead
from app.foundation.limits.routes import RouteRules


class RateLimitMiddleware:
    """Counts every request before it is read, if it can be served at all.

    Only where a rule counts by what the body says, it is read first, up to `max_body_bytes`.

    Args:
        refuse_if_full: raises `Unavailable` while no more passwords can be hashed.
    """

    def __init__(
        self,
        app: ASGIApp,
        limiter: RateLimiter,
        rules: RouteRules,
        refuse_if_full: Callable[[], None],
        max_body_bytes: int,
    ) -> None:
        self.app = app
        self._limiter = limiter
        self._rules = rules
        self._refuse_if_full = refuse_if_full
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                receive = await self._admit(scope, receive)
            except AppError as refusal:
                await error_response(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        rule = self._rules.find(scope)
        if rule.hashes_password:
            self._refuse_if_full()
        if rule.limit is not None and self._limiter.enabled:
            if rule.reads_body:
                receive = await read_ahead(scope, receive, self._max_body_bytes)
            await self._limiter.count(rule.limit, await rule.key_of(scope))
        return receive
