"""Cross-origin access by allow-list, on Starlette's CORSMiddleware."""

import re
from collections.abc import Collection
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, ErrorCode, error_response
from app.foundation.http.headers import request_header
from app.foundation.log.sampling import log_sampled
from app.security_events import SecurityEvent

_ALLOW_ORIGIN: Final = b"access-control-allow-origin"
_VARY: Final = (b"vary", b"Origin")
_LONGEST_ORIGIN: Final = 264
"""The log shows this many characters of a refused origin."""

_SAFE: Final = frozenset({"GET", "HEAD"})
_CROSS_SITE: Final = b"cross-site"
_OURS: Final = frozenset({b"same-origin", b"none"})
"""Values of `Sec-Fetch-Site`, which no page can write: this origin's own page, or the person
themselves."""


class CorsMiddleware(CORSMiddleware):
    """Starlette's rules with two differences. An origin that is not on the list gets no CORS header
    at all. An origin on the list always gets all allowed methods and headers.

    Credentials mode stays off, because no endpoint here uses a cookie. So `*` (which
    production refuses) never means `*` with credentials.

    Args:
        allow_origins: "https://*.example.com" is every subdomain, however deep; not example.com.
        allow_headers: what a request may carry beside the headers that this API reads.
    """

    def __init__(
        self, app: ASGIApp, allow_origins: Collection[str], allow_headers: Collection[str] = ()
    ) -> None:
        super().__init__(
            app,
            allow_origins=frozenset(o for o in allow_origins if "*." not in o),
            allow_origin_regex=_below(allow_origins),
            allow_methods=("GET", "POST", "PATCH", "PUT", "DELETE"),
            allow_headers=(
                "Authorization",
                "Content-Type",
                "If-Match",
                "X-Request-ID",
                *allow_headers,
            ),
            expose_headers=("ETag", "Retry-After", "X-Request-ID"),
            max_age=600,
        )
        self.exposed = (
            b"access-control-expose-headers",
            self.simple_headers["Access-Control-Expose-Headers"].encode("ascii"),
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer an allowed origin with 200 also where the method or a header is not allowed.

        The browser compares with the lists, and its console names what is missing. With any other
        status it would say that the origin is not allowed.
        """
        origin = request_headers["origin"]
        if self.is_allowed_origin(origin):
            named = "*" if self.allow_all_origins else origin
            headers = {**self.preflight_headers, "Access-Control-Allow-Origin": named}
            return PlainTextResponse("OK", headers=headers)
        log_sampled(SecurityEvent.ORIGIN_REFUSED, origin=origin[:_LONGEST_ORIGIN])
        return error_response(
            AppError(
                HTTPStatus.BAD_REQUEST,
                ErrorCode.CORS_REJECTED,
                "This origin is not allowed here.",
                headers={"Vary": self.preflight_headers["Vary"]},
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse requests that no browser may send across sites, before they are counted.

        Any page can make its visitors' browsers send them. It can't read the answers, but it would
        use up the visitors' tries (OWASP CSRF Cheat Sheet, Fetch Metadata).
        """
        if scope["type"] == "http" and self._comes_from_another_site(scope):
            message = "This API takes no such request from a page of another site."
            headers = {"Vary": "Origin, Sec-Fetch-Site"}
            refusal = AppError(
                HTTPStatus.FORBIDDEN, ErrorCode.CROSS_SITE_REJECTED, message, headers=headers
            )
            await error_response(refusal)(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    def _comes_from_another_site(self, scope: Scope) -> bool:
        """Judge by `Origin` if the request changes something, otherwise by `Sec-Fetch-Site`. A
        request with a token needs no check: a preflight came first. A link may lead here from
        anywhere."""
        origin, site = request_header(scope, b"origin"), request_header(scope, b"sec-fetch-site")
        if (origin is None and site is None) or site in _OURS or scope["method"] == "OPTIONS":
            return False
        if origin is not None and self.is_allowed_origin(origin.decode("latin-1")):
            return False
        if scope["method"] not in _SAFE:
            return site == _CROSS_SITE if origin is None else not _is_same_host(scope, origin)
        return (
            site == _CROSS_SITE
            and request_header(scope, b"authorization") is None
            and request_header(scope, b"sec-fetch-dest") != b"document"
        )

    async def simple_response(
        self, scope: Scope, receive: Receive, send: Send, request_headers: Headers
    ) -> None:
        """Do what the parent does, on raw headers: this runs on every request."""
        added = self._headers_for(request_headers.get("origin"))

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self.app(scope, receive, send_with_cors)

    def _headers_for(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        if self.allow_all_origins:
            return [(_ALLOW_ORIGIN, b"*"), self.exposed] if origin else []
        if origin and self.is_allowed_origin(origin):
            return [(_ALLOW_ORIGIN, origin.encode("latin-1")), self.exposed, _VARY]
        return [_VARY]


def _is_same_host(scope: Scope, origin: bytes) -> bool:
    """For browsers that send no `Sec-Fetch-Site`. The schemes may differ, behind a proxy."""
    host = request_header(scope, b"host") or b""
    name = origin.partition(b"://")[2]
    return bool(name) and name.lower() in {host.lower(), host.lower().removesuffix(b":443")}


def _below(origins: Collection[str]) -> str | None:
    """One pattern for all origins with a `*.`: one label or more in its place, never none."""
    parts = [origin.partition("*.") for origin in origins if "*." in origin]
    labels = r"(?:[a-z0-9_-]+\.)+"
    below = [f"{re.escape(scheme)}{labels}{re.escape(domain)}" for scheme, _, domain in parts]
    return "|".join(below) or None
