"""The OpenAPI document: FastAPI writes it, and this makes it exact on the first request for it."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.constants import REF_TEMPLATE
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic.alias_generators import to_camel

from app.config import Settings
from app.errors import ErrorCode
from app.foundation.http.openapi import MARK, errors


class FieldProblem(BaseModel):
    field: str
    message: str


class ApiErrorBody(BaseModel):
    code: ErrorCode
    message: str
    details: list[FieldProblem] = Field(default_factory=list)
    """Which fields are wrong, or what is down, or the `requestId`. Left out when there are none."""


class ApiError(BaseModel):
    error: ApiErrorBody


ANYWHERE: Final = """
Every error has one format: `{"error": {"code", "message", "details"?}}`. Whatever the address, a
request may also be answered 400 (a wrong `Host`, a rejected CORS preflight), 404, 405 with `Allow`,
413, 414, 415, 429 with `Retry-After`, 431, or 500 with the request's id in `details`.
"""
"""The description of the whole API: what the layers around the endpoints answer."""

ANSWERS: Final = Path(__file__).with_name("error_answers.json")
"""The description and headers of errors, by status; their examples, by code."""


def describe(settings: Settings) -> dict[str, Any]:
    """The document's facts about the whole API, as arguments of `FastAPI`."""
    contact = settings.api_contact
    kind = "url" if "://" in contact else "email"
    return {
        "title": settings.app_name,
        "description": ANYWHERE,
        "contact": {"name": settings.app_name} | ({kind: contact} if contact else {}),
        "license_info": _license(settings.api_license),
        "servers": [{"url": "/", "description": "Where this document is."}],
    }


def _license(written: str) -> dict[str, Any] | None:
    name, _, url = written.rpartition(" ")
    if "://" in url:
        return {"name": name or url, "url": url}
    return {"name": written, "identifier": written} if written else None


def tags_of(modules: Iterable[ModuleType]) -> list[dict[str, Any]]:
    """A tag for each router, explained by the first line of its module; in the readers' order."""
    tags = {tag: _subject(module) for module in modules for tag in module.router.tags}
    order = {"auth": 0, "users": 1, "health": 3}
    return [
        {"name": name, "description": tags[name]}
        for name in sorted(tags, key=lambda name: (order.get(name, 2), name))
    ]


def _subject(module: ModuleType) -> str:
    """What follows the path in "`/api/auth`: signing in and out."."""
    subject = (module.__doc__ or "").partition("\n")[0]
    subject = re.sub(r"^`[^`]*`: ", "", subject)
    return subject[:1].upper() + subject[1:]


def operation_id(route: APIRoute) -> str:
    """The function's name, as generated clients call it: `revokeSession`."""
    return to_camel(route.name)


def document_exactly(app: FastAPI) -> None:
    """Add to the OpenAPI document each endpoint's answers, and the callers that it allows.

    Raises:
        ValueError: from `app.openapi`; a model has the name of one of the error format.
    """
    generate = app.openapi
    written: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        nonlocal written
        document = generate()
        if document is not written:  # FastAPI keeps what it has generated
            _make_exact(document)
            written = document
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _make_exact(document: dict[str, Any]) -> None:
    answers = json.loads(ANSWERS.read_bytes())
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    shown = set[str]()
    for operation in _operations(document):
        operation.setdefault("security", [])  # none is needed, which linters want to be said
        operation["responses"] = _real_responses(operation["responses"])
        for status, response in operation["responses"].items():
            if MARK in response:
                shown |= _describe(status, response, answers)
    examples = {code: _example(code, answers["examples"]) for code in sorted(shown)}
    components.setdefault("examples", {}).update(examples)
    for name in ("HTTPValidationError", "ValidationError"):
        if not _refers_to(name, document):
            schemas.pop(name, None)
    _add_error_format(schemas)
    _leave_titles_to_what_is_referred_to(schemas)


def _real_responses(responses: dict[str, Any]) -> dict[str, Any]:
    """Without FastAPI's own 422, since validation is 400 here; a 500 can be everywhere."""
    if _refers_to("HTTPValidationError", responses.get("422")):
        del responses["422"]
    bug = {str(status): response for status, response in errors(500).items()}
    return dict(sorted((bug | responses).items()))


def _leave_titles_to_what_is_referred_to(schemas: dict[str, Any]) -> None:
    for schema in schemas.values():
        for part in schema.get("properties", {}).values():
            if "$ref" in part:
                part.pop("title", None)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _describe(status: str, response: dict[str, Any], answers: dict[str, Any]) -> set[str]:
    """An error with its headers, its body, and an example of each code; returns the codes."""
    codes = response.pop(MARK)
    response["description"] = answers["descriptions"].get(status, "Refused: `code` says why.")
    if status in answers["headers"]:
        response["headers"] = answers["headers"][status]
    content: dict[str, Any] = {"schema": {"$ref": _reference(ApiError.__name__)}}
    if codes:
        content["examples"] = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    response["content"] = {"application/json": content}
    return set(codes)


def _example(code: str, known: dict[str, Any]) -> dict[str, Any]:
    return {"value": {"error": {"code": code, **known.get(code, {"message": "…"})}}}


def _add_error_format(schemas: dict[str, Any]) -> None:
    schema = ApiError.model_json_schema(ref_template=REF_TEMPLATE)
    for name, part in {**schema.pop("$defs"), ApiError.__name__: schema}.items():
        if schemas.setdefault(name, part) != part:
            raise ValueError(f"another model is called {name} too: rename it")


def _refers_to(model: str, part: object) -> bool:
    return repr(_reference(model)) in repr(part)


def _reference(model: str) -> str:
    return REF_TEMPLATE.format(model=model)
