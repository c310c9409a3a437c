"""Cross-origin access by allow-list, on Starlette's CORSMiddleware."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, ErrorCode, error_response

_ALLOW_ORIGIN: Final = b"access-control-allow-origin"
_VARY: Final = (b"vary", b"Origin")

_LONGEST_LIST: Final = 1024
"""Of the headers that a preflight asks for, before it is taken apart. Ours have some forty."""


class CorsMiddleware(CORSMiddleware):
    """Starlette's rules with two differences: an origin that is not on the list gets no CORS
    header at all, and a rejected preflight is answered in the one error format.

    Credentials mode stays off, since nothing here is authenticated by a cookie. So `*` (which
    production refuses) never means `*` with credentials.
    """

    def __init__(self, app: ASGIApp, allow_origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=frozenset(allow_origins),
            allow_methods=("GET", "POST", "PATCH", "PUT", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "X-Request-ID"),
            expose_headers=("Retry-After", "X-Request-ID"),
            max_age=600,
        )
        self.exposed = (
            b"access-control-expose-headers",
            self.simple_headers["Access-Control-Expose-Headers"].encode("ascii"),
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        if len(request_headers.get("access-control-request-headers", "")) <= _LONGEST_LIST:
            response = super().preflight_response(request_headers)
            if response.status_code == HTTPStatus.OK:
                return response
        message = "This origin, method or header is not allowed here."
        headers = {"Vary": self.preflight_headers["Vary"]}
        return error_response(AppError(400, ErrorCode.CORS_REJECTED, message, headers=headers))

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
