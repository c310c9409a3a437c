"""What the OpenAPI document says of errors: each endpoint lists the statuses it really gives."""

from functools import cache
from typing import Any, Final

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.constants import REF_TEMPLATE
from pydantic.json_schema import models_json_schema

from app.api.schemas import Error

_DESCRIPTIONS: Final = {
    400: "The input is wrong; `details` says where.",
    401: "Not signed in, or the credentials are wrong.",
    403: "Signed in, but not allowed.",
    404: "There is no such thing.",
    409: "It conflicts with what exists.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "Something this API depends on does not answer; `Retry-After` says when to try again.",
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
413, 415, 429 with `Retry-After`, or 500 with the request's id in `details`.
"""
"""The description of the whole API: what the layers around the endpoints answer."""


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint, in the one error format; for `document_real_errors`.

    With `"model": Error`, FastAPI would build a validator for each status of each route, and use
    none: two thirds of the time that it takes to build the routes.
    """
    schema = {"$ref": REF_TEMPLATE.format(model=Error.__name__)}
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "headers": _HEADERS.get(status, {}),
            "content": {"application/json": {"schema": schema}},
        }
        for status in statuses
    }


def document_real_errors(app: FastAPI) -> None:
    """Let the OpenAPI document tell what `errors` says, and no more.

    Raises:
        ValueError: from `app.openapi`; a model of an endpoint has the name of one of the errors'.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        _leave_out_422(document["paths"], schemas)
        _add_error_schemas(schemas)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _leave_out_422(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """FastAPI documents it everywhere; here, validation is 400."""
    for path in paths.values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _add_error_schemas(schemas: dict[str, Any]) -> None:
    for name, schema in _error_schemas().items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"the errors have a model {name}: rename the other one")


@cache
def _error_schemas() -> dict[str, Any]:
    """`Error` and what it is made of, as FastAPI writes the others: without `"default": null`."""
    _, made = models_json_schema([(Error, "serialization")], ref_template=REF_TEMPLATE)
    schemas: dict[str, Any] = jsonable_encoder(made["$defs"], exclude_none=True)
    return schemas
