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

_ALLOW_ORIGIN: Final = b"access-control-allow-origin"
_VARY: Final = (b"vary", b"Origin")


class CorsMiddleware(CORSMiddleware):
    """Starlette's rules with two differences: an origin that is not on the list gets no CORS
    header at all, and one that is gets the list of what is allowed, whatever it asked for.

    Credentials mode stays off, since nothing here is authenticated by a cookie. So `*` (which
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

        The browser compares with the lists, and says in its console what is missing. Of any other
        status it says that the origin is not allowed.
        """
        origin = request_headers["origin"]
        if self.is_allowed_origin(origin):
            named = "*" if self.allow_all_origins else origin
            headers = {**self.preflight_headers, "Access-Control-Allow-Origin": named}
            return PlainTextResponse("OK", headers=headers)
        return error_response(
            AppError(
                HTTPStatus.BAD_REQUEST,
                ErrorCode.CORS_REJECTED,
                "This origin is not allowed here.",
                headers={"Vary": self.preflight_headers["Vary"]},
            )
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


def _below(origins: Collection[str]) -> str | None:
    """One pattern for all origins with a `*.`: one label or more in its place, never none."""
    parts = [origin.partition("*.") for origin in origins if "*." in origin]
    labels = r"(?:[a-z0-9_-]+\.)+"
    below = [f"{re.escape(scheme)}{labels}{re.escape(domain)}" for scheme, _, domain in parts]
    return "|".join(below) or None
