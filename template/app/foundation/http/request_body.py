"""A request body must be JSON in UTF-8, and not large. This is checked before it is parsed.

Starlette's RequestBodyLimitMiddleware and FastAPI's `max_body_size` count alike, but they answer
in plain text, from outside our layers, and only if the endpoint reads the body.
"""

from collections.abc import Callable, Container, Iterable
from typing import Any, Final, TypeVar

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, ErrorCode, error_response
from app.foundation.http.headers import request_header
from app.foundation.http.paths import route_path

_JSON: Final = b"application/json"
_FORM: Final = b"application/x-www-form-urlencoded"
_PLAIN: Final = b"identity"
_LONGEST_NUMBER: Final = 18
_ACCEPTS_FORM: Final = "accepts_form"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_NUL: Final = b"\x00"


def accepts_form(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint read a form (`application/x-www-form-urlencoded`) and no JSON, as OAuth does.

    A browser sends a form to anybody without asking: only for an endpoint that no cookie opens.
    """
    setattr(endpoint, _ACCEPTS_FORM, True)
    return endpoint


def form_paths(routes: Iterable[BaseRoute]) -> set[str]:
    """The paths of the endpoints that read a form."""
    contexts = iter_route_contexts(list(routes))
    return {
        route.path for route in contexts if route.path and hasattr(route.endpoint, _ACCEPTS_FORM)
    }


class RequestBodyMiddleware:
    """Answer 413 to a body over the limit, 415 to one that is not plain `application/json`, and 400
    to one in another encoding than UTF-8, or that the server has lost.

    Args:
        routes: all routes; the body of some must be a form, see `accepts_form`.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, routes: Iterable[BaseRoute] = ()) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.form_paths = form_paths(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            receive = await self._admit(scope, receive)
        except AppError as refusal:
            await error_response(refusal)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        """Give the `receive` to read the body with, if it may be read."""
        length = declared_length(request_header(scope, b"content-length"))
        if length > self.max_bytes:
            raise self._too_large()
        has_body = length > 0 or request_header(scope, b"transfer-encoding") is not None
        kind = _kind_of(scope, self.form_paths)
        if has_body and (refusal := _refusal(scope, kind)) is not None:
            if length > 0:
                raise refusal
            receive = await _without_body(receive, refusal)
        return self._checked(receive, may_be_lost=has_body and _offers_upgrade(scope))

    def _checked(self, receive: Receive, *, may_be_lost: bool) -> Receive:
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
            if may_be_lost and received == 0 and _ends(message):
                raise _lost_body()
            return message

        return receive_checked

    def _too_large(self) -> AppError:
        message = f"The body may have at most {self.max_bytes} bytes."
        return AppError(413, ErrorCode.BODY_TOO_LARGE, message)


def _refusal(scope: Scope, kind: bytes) -> AppError | None:
    """The problem with a body's kind, in case a body comes."""
    encoding = request_header(scope, b"content-encoding")
    if encoding is not None and encoding.strip().lower() != _PLAIN:
        return _unsupported(
            "Send the body as it is, not compressed.", "Accept-Encoding", "identity"
        )
    if not _is(kind, request_header(scope, b"content-type")):
        return _unsupported(f"Send the body as {kind.decode()}.", "Accept", kind.decode())
    return None


def _kind_of(scope: Scope, forms: Container[str]) -> bytes:
    return _FORM if route_path(scope) in forms else _JSON


def is_refused_unread(scope: Scope, forms: Container[str]) -> bool:
    """Tell whether a body's kind alone will refuse it. A chunked one may turn
    out to be none."""
    length = declared_length(request_header(scope, b"content-length"))
    return length > 0 and _refusal(scope, _kind_of(scope, forms)) is not None


def _unsupported(message: str, header: str, value: str) -> AppError:
    return AppError(
        415,
        ErrorCode.UNSUPPORTED_MEDIA_TYPE,
        message,
        headers={header: value},
    )


async def _without_body(receive: Receive, refusal: AppError) -> Receive:
    """Only the first bytes of a chunked body show that there is one (RFC 9112 §6.3)."""
    message = await receive()
    while not message.get("body") and _continues(message):
        message = await receive()
    if message.get("body"):
        raise refusal
    first: list[Message] = [message]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return receive_again


def _offers_upgrade(scope: Scope) -> bool:
    return request_header(scope, b"upgrade") is not None


def _continues(message: Message) -> bool:
    return message["type"] == "http.request" and bool(message.get("more_body"))


def _ends(message: Message) -> bool:
    return message["type"] == "http.request" and not message.get("more_body")


def _lost_body() -> AppError:
    return AppError(
        400,
        ErrorCode.UPGRADE_UNSUPPORTED,
        "The body was lost, because the request offers an upgrade; send it as plain HTTP/1.1.",
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
    """Tell whether a media type is `application/json`, with any parameters."""
    return _is(_JSON, content_type)


def _is(kind: bytes, content_type: bytes | None) -> bool:
    return content_type is not None and content_type.partition(b";")[0].strip().lower() == kind
