"""What the OpenAPI document says of errors: each endpoint lists the statuses it really gives."""

from typing import Any

from app.api.schemas import Error

_DESCRIPTIONS = {
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


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint, in the one error format."""
    return {status: {"model": Error, "description": _DESCRIPTIONS[status]} for status in statuses}


BODY_ERRORS = (400, 413, 415)
