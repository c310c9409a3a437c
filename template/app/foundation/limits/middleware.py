"""Counting requests before doing anything else for them."""

from asyncio import Semaphore
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import AppError, error_response
from app.foundation.http.client_address import rate_limit_key, site_key
from app.foundation.http.request_body import form_paths, is_refused_unread
from app.foundation.limits.gate import hashing_behind
from app.foundation.limits.limiter import (
    HASHES_OF_A_USER,
    HASHES_OF_AN_ADDRESS,
    IN_LINE,
    USER,
    RateLimiter,
)
from app.foundation.limits.read_ahead import read_ahead
from app.foundation.limits.routes import RouteRules, Rule


class RateLimitMiddleware:
    """Counts every request before it is read, if it can be served at all.

    What is read first, up to `max_body_bytes`: where a rule counts by what the body says, and where
    a password is hashed, since who sends slowly must not keep others from it meanwhile.

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
        routes: Iterable[BaseRoute] = (),
    ) -> None:
        self.app = app
        self._limiter = limiter
        self._rules = rules
        self._refuse_if_full = refuse_if_full
        self._max_body_bytes = max_body_bytes
        self._form_paths = form_paths(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        async with AsyncExitStack() as held:
            try:
                receive, gate = await self._admit(scope, receive, held)
            except AppError as refusal:
                await error_response(refusal)(scope, receive, send)
                return
            with hashing_behind(gate):
                await self.app(scope, receive, send)

    async def _admit(
        self, scope: Scope, receive: Receive, held: AsyncExitStack
    ) -> tuple[Receive, Semaphore | None]:
        rule, gate = self._rules.find(scope), None
        # Any page on the web can let its visitor's browser send these: they cost no try.
        if is_refused_unread(scope, self._form_paths):
            return receive, gate
        if rule.hashes_password:
            self._refuse_if_full()
        if rule.reads_body or rule.hashes_password:
            receive = await read_ahead(scope, receive, self._max_body_bytes)
        key = await rule.key_of(scope)
        if rule.hashes_password:
            if key.startswith(USER):
                await held.enter_async_context(self._limiter.line(HASHES_OF_A_USER, key))
            address = rate_limit_key(scope["state"]["client_address"])
            line = self._limiter.line(HASHES_OF_AN_ADDRESS, address, IN_LINE)
            gate = await held.enter_async_context(line)
        await self._count(rule, key)
        return receive, gate

    async def _count(self, rule: Rule, key: str) -> None:
        if rule.limit is None or not self._limiter.enabled:
            return
        await self._limiter.count(rule.limit, key)
        site = site_key(key)
        if site is not None and rule.limit_of_site is not None:
            await self._limiter.count(rule.limit_of_site, site)
