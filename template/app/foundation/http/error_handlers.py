"""Turns every exception from below into the one error format. No answer repeats its input."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from app.errors import AppError, ErrorCode, error_response

MAX_DETAILS: Final = 20
"""Our own endpoints have few fields to complain about; an owner's list of objects may have many."""

MAX_FIELD: Final = 100
"""Characters of a field's name: in an owner's mapping, the client chooses the keys."""

_CODES = {
    HTTPStatus.BAD_REQUEST: ErrorCode.INVALID_JSON,
    HTTPStatus.NOT_FOUND: ErrorCode.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorCode.METHOD_NOT_ALLOWED,
}

_MESSAGES = {
    ErrorCode.INVALID_JSON: "The body is not valid JSON in UTF-8.",
    ErrorCode.NOT_FOUND: "There is nothing at this address.",
    ErrorCode.METHOD_NOT_ALLOWED: "This address does not answer that method; see Allow.",
}


def add_error_handlers(app: FastAPI) -> None:
    app.exception_handler(HTTPException)(_answer_http_exception)
    app.exception_handler(RequestValidationError)(_answer_validation_error)


async def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    """Ours as it is; the framework's with our code and message."""
    if isinstance(error, AppError):
        return error_response(error)
    if isinstance(error.__cause__, ClientDisconnect):
        raise error.__cause__  # the framework calls it a bad body, but nobody is left to read that
    code = _CODES.get(HTTPStatus(error.status_code), ErrorCode.INTERNAL_ERROR)
    message = _MESSAGES.get(code, HTTPStatus(error.status_code).phrase)
    headers = dict(error.headers or {})
    if code == ErrorCode.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed_methods(request))
    return error_response(AppError(error.status_code, code, message, headers=headers))


def _allowed_methods(request: Request) -> list[str]:
    """All methods of this address; the framework names those of the first route only."""
    routes = iter_route_contexts(request.app.routes)
    here = [route for route in routes if route.matches(request.scope)[0] is Match.PARTIAL]
    methods = {method for route in here for method in route.methods or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


async def _answer_validation_error(request: Request, error: RequestValidationError) -> Response:
    problems = error.errors()
    if problems[0]["type"] == "json_invalid":
        message = _MESSAGES[ErrorCode.INVALID_JSON]
        return error_response(AppError(400, ErrorCode.INVALID_JSON, message))
    return error_response(
        AppError(400, ErrorCode.VALIDATION_FAILED, "The input is not valid.", _details(problems))
    )


def _details(problems: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """At most MAX_DETAILS; then the last says how many are left out (ASVS 5.0 15.1.3)."""
    if len(problems) <= MAX_DETAILS:
        return _without_repeats(problems)
    shown = _without_repeats(problems[: MAX_DETAILS - 1])
    left_out = len(problems) - (MAX_DETAILS - 1)
    return [*shown, {"field": "body", "message": f"has {left_out} more problems"}]


def _without_repeats(problems: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """All unknown fields are one line, since none is named."""
    details: list[dict[str, str]] = []
    for detail in map(_describe, problems):
        if detail not in details:
            details.append(detail)
    return details


def _describe(problem: dict[str, Any]) -> dict[str, str]:
    """Name the field and what is wrong; never the value, nor a field name of the client's own."""
    location: Sequence[int | str] = problem["loc"]
    if problem["type"] == "extra_forbidden":
        return {"field": str(location[0]), "message": "has a field that is not known here"}
    field = ".".join(str(part)[:MAX_FIELD] for part in location[1:]) or str(location[0])
    if problem["type"] == "uuid_parsing":  # its text quotes the character that is wrong
        return {"field": field, "message": "must be a UUID"}
    return {"field": field, "message": problem["msg"].removeprefix("Value error, ")}
