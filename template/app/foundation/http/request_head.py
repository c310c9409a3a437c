"""How long an address and the headers may be. This is checked before they are parsed.

uvicorn takes anything that fits into memory. A proxy in front has its own limits. These are the
same everywhere, and bound the cost of parsing cookies, queries and headers (ASVS 5.0 15.1.3).
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import AppError, ErrorCode, error_response

MAX_ADDRESS: Final = 8192
"""Bytes of path and query, as most servers take (RFC 9110 §4.1 asks for 8000)."""

MAX_HEADERS: Final = 32_768
"""Bytes of all headers, each with HEADER_OVERHEAD more, so that their number is bounded too."""

HEADER_OVERHEAD: Final = 32
"""As HTTP/2 counts (RFC 9113 §6.5.2)."""


class RequestHeadMiddleware:
    """Answer 414 to an address, and 431 to headers, over the limit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif (error := _refusal(scope)) is not None:
            await error_response(error)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _refusal(scope: Scope) -> AppError | None:
    # The path as it is now: undone, what is percent-encoded is a third as long, never longer.
    if len(scope["path"]) + len(scope["query_string"]) > MAX_ADDRESS:
        message = f"Path and query may have at most {MAX_ADDRESS} bytes."
        return AppError(414, ErrorCode.ADDRESS_TOO_LONG, message)
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value) + HEADER_OVERHEAD
        if size > MAX_HEADERS:
            message = f"The headers may have at most {MAX_HEADERS} bytes."
            return AppError(431, ErrorCode.HEADERS_TOO_LARGE, message)
    return None
