"""What a request body may be: JSON, and not large. Decided before any of it is parsed.

Starlette's RequestBodyLimitMiddleware and FastAPI's `max_body_size` count alike, but they answer
in plain text, from outside our layers, and only if the endpoint reads the body.
"""

from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, ErrorCode, error_response
from app.middleware.headers import request_header

_JSON: Final = b"application/json"
_LONGEST_NUMBER: Final = 18


class RequestBodyMiddleware:
    """Answer 413 to a body over the limit, and 415 to one that is not `application/json`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif (error := self._refusal(scope)) is not None:
            await error_response(error)(scope, receive, send)
        else:
            await self.app(scope, self._limited(receive), send)

    def _refusal(self, scope: Scope) -> AppError | None:
        length = declared_length(request_header(scope, b"content-length"))
        if length > self.max_bytes:
            return self._too_large()
        has_body = length > 0 or request_header(scope, b"transfer-encoding") is not None
        if has_body and not is_json(request_header(scope, b"content-type")):
            return AppError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                ErrorCode.UNSUPPORTED_MEDIA_TYPE,
                "Send the body as application/json.",
                headers={"Accept": "application/json"},
            )
        return None

    def _limited(self, receive: Receive) -> Receive:
        """Count what really arrives: a chunked body declares no length, and a length may lie.

        What is over the limit is never kept: the error stops whoever is reading.
        """
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise self._too_large()
            return message

        return receive_counted

    def _too_large(self) -> AppError:
        return AppError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            ErrorCode.BODY_TOO_LARGE,
            f"The body may have at most {self.max_bytes} bytes.",
        )


def declared_length(content_length: bytes | None) -> int:
    """Read Content-Length. Anything that is not a plain number is left to the server, and to
    the count of what arrives."""
    if content_length is None or not content_length.isdigit():
        return 0
    digits = content_length.lstrip(b"0")
    # Python refuses to convert numbers of thousands of digits.
    return int(digits[:_LONGEST_NUMBER] or b"0")


def is_json(content_type: bytes | None) -> bool:
    """Tell whether a media type is `application/json`, with whatever parameters."""
    return content_type is not None and content_type.partition(b";")[0].strip().lower() == _JSON
