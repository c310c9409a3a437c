"""What a request body may be: JSON in UTF-8, and not large. Decided before any of it is parsed.

Starlette's RequestBodyLimitMiddleware and FastAPI's `max_body_size` count alike, but they answer
in plain text, from outside our layers, and only if the endpoint reads the body.
"""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, ErrorCode, error_response
from app.foundation.http.headers import request_header

_JSON: Final = b"application/json"
_LONGEST_NUMBER: Final = 18
_NUL: Final = b"\x00"


class RequestBodyMiddleware:
    """Answer 413 to a body over the limit, 415 to one that is not `application/json`, and 400 to
    one in another encoding than UTF-8."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif (error := self._refusal(scope)) is not None:
            await error_response(error)(scope, receive, send)
        else:
            await self.app(scope, self._checked(receive), send)

    def _refusal(self, scope: Scope) -> AppError | None:
        length = declared_length(request_header(scope, b"content-length"))
        if length > self.max_bytes:
            return self._too_large()
        has_body = length > 0 or request_header(scope, b"transfer-encoding") is not None
        if has_body and not is_json(request_header(scope, b"content-type")):
            message = "Send the body as application/json."
            headers = {"Accept": "application/json"}
            return AppError(415, ErrorCode.UNSUPPORTED_MEDIA_TYPE, message, headers=headers)
        return None

    def _checked(self, receive: Receive) -> Receive:
        """Count what really arrives: a chunked body declares no length, and a length may lie.

        What is over the limit is never kept: the error stops whoever is reading.

        JSON is exchanged in UTF-8 (RFC 8259 §8.1), but Python's parser guesses: it takes UTF-16
        and UTF-32 too, which what stands in front of this API may read differently. Both spell
        each bracket with a NUL, which JSON in UTF-8 never holds.
        """
        received = 0

        async def receive_checked() -> Message:
            nonlocal received
            message = await receive()
            body = message.get("body", b"")
            received += len(body)
            if received > self.max_bytes:
                raise self._too_large()
            if _NUL in body:
                problem = "The body is not valid JSON in UTF-8."
                raise AppError(400, ErrorCode.INVALID_JSON, problem)
            return message

        return receive_checked

    def _too_large(self) -> AppError:
        message = f"The body may have at most {self.max_bytes} bytes."
        return AppError(413, ErrorCode.BODY_TOO_LARGE, message)


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
