"""Reading a body before its request is counted, if the body says against whom it counts."""

from collections import deque
from typing import Final

from starlette.types import Message, Receive, Scope

from app.foundation.http.headers import request_header
from app.foundation.http.request_body import declared_length, is_json

READ_AHEAD: Final = "app.body_read_ahead"
"""Where the scope keeps what was read."""


async def read_ahead(scope: Scope, receive: Receive, max_bytes: int) -> Receive:
    """Keep the body in the scope; returns a `receive` that gives the same messages once more.

    A body that will be refused, for its type or length, is not read, or no further.
    """
    length = declared_length(request_header(scope, b"content-length"))
    if length > max_bytes or not is_json(request_header(scope, b"content-type")):
        return receive
    messages: deque[Message] = deque()
    body = bytearray()
    more = True
    while more and len(body) <= max_bytes:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        more = message.get("more_body", False)
    scope[READ_AHEAD] = bytes(body)

    async def receive_again() -> Message:
        return messages.popleft() if messages else await receive()

    return receive_again
