"""What each request has: an id, the client's address, and one line in the access log."""

import re
import secrets
from collections.abc import Collection, Iterable
from http import HTTPStatus
from time import perf_counter
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.foundation.caller import enter_request
from app.foundation.checks.formats import Proxy
from app.foundation.http.client_address import (
    UNKNOWN,
    TrustedProxies,
    came_by_unix_socket,
    client_address,
    is_trusted_peer,
)
from app.foundation.http.headers import request_header
from app.foundation.http.paths import route_path

CLIENT_CLOSED_REQUEST: Final = 499
"""Logged when nothing was answered, because the client (or the server, stopping) hung up.
Not an HTTP status, but the one nginx made customary in access logs."""

_WELL_FORMED_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_LONG_SEGMENT: Final = re.compile(r"[^/]{41,}")
_LONGEST_PATH: Final = 256
_LONGEST_READ: Final = 1024

logger = structlog.get_logger()


class RequestContextMiddleware:
    """Give each request an id, echo it in `X-Request-ID`, and log the request once.

    `request.state.request_id` and `request.state.client_address` are set for everything inside.

    Args:
        quiet_paths: what is answered there without an error is not logged.
    """

    def __init__(
        self,
        app: ASGIApp,
        trusted_proxies: Iterable[Proxy] = (),
        quiet_paths: Collection[str] = (),
    ) -> None:
        self.app = app
        self.trusted_proxies = TrustedProxies(trusted_proxies)
        self.quiet_paths = frozenset(quiet_paths)
        self._has_warned = self.trusted_proxies.unix_socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        request_id = _request_id(scope, self.trusted_proxies)
        header = (b"x-request-id", request_id.encode("ascii"))
        status = CLIENT_CLOSED_REQUEST

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        self._enter(scope, request_id)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            if status >= HTTPStatus.BAD_REQUEST or route_path(scope) not in self.quiet_paths:
                _log_access(scope, status, perf_counter() - started)

    def _enter(self, scope: Scope, request_id: str) -> None:
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["client_address"] = client_address(scope, self.trusted_proxies)
        agent = request_header(scope, b"user-agent")
        enter_request(request_id, state["client_address"], agent)
        if state["client_address"] == UNKNOWN and not self._has_warned:
            self._warn_if_all_are_one(scope)

    def _warn_if_all_are_one(self, scope: Scope) -> None:
        """Once: at the start no application knows yet where its server listens."""
        self._has_warned = came_by_unix_socket(scope)
        if self._has_warned:
            logger.warning(
                "settings.risk",
                setting="TRUSTED_PROXIES",
                risk="a request came by a Unix socket, whose clients are all one without a proxy; "
                'add "unix", and let the proxy set X-Forwarded-For',
            )


def _request_id(scope: Scope, trusted: TrustedProxies) -> str:
    """Use a proxy's well-formed id, so that people can follow a request across services. A client's
    id is not used: it could give one id to two requests, and their events could not be told apart.
    """
    incoming = request_header(scope, b"x-request-id")
    if incoming and is_trusted_peer(scope, trusted) and _WELL_FORMED_ID.fullmatch(incoming):
        return incoming.decode("ascii")
    return secrets.token_hex(16)


def _log_access(scope: Scope, status: int, seconds: float) -> None:
    logger.info(
        "http.request",
        method=scope["method"],
        path=loggable_path(scope["path"]),
        status=status,
        duration_ms=round(seconds * 1000, 2),
    )


def loggable_path(path: str) -> str:
    """Give the path without its query, and without segments longer than an identifier.

    A segment longer than a UUID is probably a token that somebody pasted into a URL.
    """
    if len(path) <= 40:
        return path
    if len(path) > _LONGEST_READ:  # to the end of a segment: half a token would not be redacted
        path = path[:_LONGEST_READ].rpartition("/")[0] + "/[redacted]"
    return _LONG_SEGMENT.sub("[redacted]", path)[:_LONGEST_PATH]
