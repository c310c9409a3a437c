"""What the OpenAPI document says of errors: each endpoint lists the statuses it really gives."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.constants import REF_TEMPLATE
from pydantic import BaseModel
from pydantic.json_schema import SkipJsonSchema

from app.errors import ErrorCode


class FieldProblem(BaseModel):
    field: str
    message: str


class ErrorBody(BaseModel):
    code: ErrorCode
    message: str
    details: list[FieldProblem] | SkipJsonSchema[None] = None
    """Which fields are wrong, or what is down, or the `requestId`. Left out when there are none."""


class Error(BaseModel):
    error: ErrorBody


_DESCRIPTIONS: Final = {
    400: "The input is wrong: `code` says how, and `details` where.",
    401: "Not signed in, or the credentials are wrong.",
    403: "Signed in, but not allowed.",
    404: "There is no such thing.",
    409: "It conflicts with what exists.",
    412: "It has changed since the client read it.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "Too busy, or the database does not answer; `Retry-After` says when to try again.",
}

_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}

_HEADERS: Final = {
    401: {
        "WWW-Authenticate": {
            "description": "`Bearer`, with `error` when a token was sent (RFC 6750 §3).",
            "required": True,
            "schema": {"type": "string"},
        }
    },
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}

BODY_ERRORS: Final = (400, 413, 415)

ANYWHERE: Final = """
Every error has one format: `{"error": {"code", "message", "details"?}}`. Whatever the address, a
request may also be answered 400 (a wrong `Host`, a rejected CORS preflight), 404, 405 with `Allow`,
413, 414, 415, 429 with `Retry-After`, 431, or 500 with the request's id in `details`.
"""
"""The description of the whole API: what the layers around the endpoints answer."""


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint, in the one error format.

    The last brings the model, the others refer to it: for each `"model"` of each route FastAPI
    builds a validator that it never uses, which were two thirds of the time to build the routes.
    """
    responses: dict[int | str, dict[str, Any]] = {
        status: {
            "description": _DESCRIPTIONS[status],
            "headers": _HEADERS.get(status, {}),
            "content": {"application/json": {"schema": {"$ref": _reference(Error.__name__)}}},
        }
        for status in statuses
    }
    for last in statuses[-1:]:
        responses[last]["model"] = Error
    return responses


def document_real_errors(app: FastAPI) -> None:
    """Let the OpenAPI document tell what `errors` says, and no more.

    Raises:
        ValueError: from `app.openapi`; another model is called `Error` too, and FastAPI has
            renamed both.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.get("components", {}).get("schemas", {})
        if Error.__name__ not in schemas and _refers_to(Error.__name__, document):
            raise ValueError(f"another model is called {Error.__name__} too: rename it")
        _leave_out_422(document, schemas)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _leave_out_422(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    """FastAPI documents its own everywhere; here, validation is 400."""
    for path in document["paths"].values():
        for operation in path.values():
            if _refers_to("HTTPValidationError", operation["responses"].get("422")):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        if not _refers_to(name, document):
            schemas.pop(name, None)


def _refers_to(model: str, part: object) -> bool:
    return repr(_reference(model)) in repr(part)


def _reference(model: str) -> str:
    return REF_TEMPLATE.format(model=model)
