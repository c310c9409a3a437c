"""How an endpoint lists its real errors for the OpenAPI document."""

from collections.abc import Iterable
from typing import Any, Final

from app.errors import ErrorCode

MARK: Final = "x-error-codes"
"""Marks an answer of `errors` until `openapi_document` describes it."""

USUAL: Final = {
    400: (ErrorCode.VALIDATION_FAILED,),
    401: (ErrorCode.UNAUTHENTICATED, ErrorCode.INVALID_TOKEN),
    403: (ErrorCode.FORBIDDEN,),
    404: (ErrorCode.NOT_FOUND,),
    412: (ErrorCode.PRECONDITION_FAILED,),
    413: (ErrorCode.BODY_TOO_LARGE,),
    415: (ErrorCode.UNSUPPORTED_MEDIA_TYPE,),
    429: (ErrorCode.RATE_LIMITED,),
    431: (ErrorCode.HEADERS_TOO_LARGE,),
    500: (ErrorCode.INTERNAL_ERROR,),
    503: (ErrorCode.UNAVAILABLE,),
}
"""The usual codes of each status."""

BODY_ERRORS: Final = (400, 413, 415)


def errors(*statuses: int, **codes: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint, in the one error format: `errors(401, 429, email_taken=409)`.

    Only codes are kept: a model at each route would have FastAPI build a validator that it never
    uses, and a worker that nobody asks for the document would hold all of it.

    Args:
        statuses: each with its usual codes.
        codes: further ones, each with its status.

    Raises:
        ValueError: there is no such code.
    """
    responses: dict[int | str, dict[str, Any]] = {
        status: _answer(USUAL.get(status, ())) for status in statuses
    }
    if 415 in responses:  # there is a body
        codes = {ErrorCode.INVALID_JSON: 400, **codes}
    for code, status in codes.items():
        responses.setdefault(status, _answer(()))[MARK].append(ErrorCode(code))
    return responses


def _answer(codes: Iterable[ErrorCode]) -> dict[str, Any]:
    return {"description": "", MARK: [*codes]}


def says(message: str) -> dict[int | str, dict[str, Any]]:
    """For an endpoint that answers a `Message`: which, as the example of its success."""
    return {200: {"content": {"application/json": {"example": {"message": message}}}}}
