"""Reading one request header without building a mapping of all of them."""

from starlette.types import Scope


def request_header(scope: Scope, name: bytes) -> bytes | None:
    """Give the first value of a header, which ASGI names in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None
