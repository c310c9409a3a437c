"""The OpenAPI document tells the truth; `python -m tests.referees` holds the API to it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, create_model

from app.api import auth, health, users
from app.application import create_app
from app.config import Settings
from app.errors import ErrorCode

Operation = tuple[str, dict[str, Any]]

PUBLIC = {
    "/api/auth/register",
    "/api/auth/login",
    "/api/auth/refresh",
    "/api/auth/forgot-password",
    "/api/auth/reset-password",
    "/health",
    "/health/ready",
}


@pytest.fixture
def document(settings: Settings) -> dict[str, Any]:
    return create_app(settings).openapi()


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def statuses(operation: dict[str, Any]) -> set[int]:
    return {int(status) for status in operation["responses"]}


def test_every_error_is_in_the_one_format(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}, (path, status)
    assert document["components"]["schemas"]["ErrorCode"]["enum"] == list(ErrorCode)


def unknown_references(document: dict[str, Any]) -> set[str]:
    schemas: dict[str, Any] = document["components"]["schemas"]
    return set(re.findall(r"#/components/schemas/([^']+)", str(document))) - schemas.keys()


@pytest.mark.parametrize("router", [users.router, auth.router, health.router])
def test_errors_are_described_in_any_application(router: APIRouter) -> None:
    app = FastAPI()
    app.include_router(router)
    assert unknown_references(app.openapi()) == set()


def app_with(name: str, settings: Settings) -> FastAPI:
    """The application with a model of that name, in and out, and an answer 422 of its own."""
    model: type[BaseModel] = create_model(name, column=(int, ...))
    app = create_app(settings)
    app.add_api_route("/own", lambda: None, response_model=model, responses={422: {"model": model}})

    @app.webhooks.post("told")
    async def _(body: model) -> None: ...

    return app


@pytest.mark.parametrize("name", ["Note", "ErrorBody", "FieldProblem", "ValidationError"])
def test_owners_may_document_their_own(settings: Settings, name: str) -> None:
    document = app_with(name, settings).openapi()

    assert unknown_references(document) == set()
    assert 422 in statuses(document["paths"]["/own"]["get"])


def test_no_other_model_is_called_as_the_error(settings: Settings) -> None:
    with pytest.raises(ValueError, match="called Error too: rename"):
        app_with("Error", settings).openapi()

    app = create_app(settings)
    model: type[BaseModel] = create_model("Error", column=(int, ...))

    @app.post("/own")
    async def _(body: model) -> None: ...

    with pytest.raises(ValueError, match="called Error too: rename"):
        app.openapi()


def test_validation_is_400_as_documented(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        assert 422 not in statuses(operation), path
        if "requestBody" in operation:
            assert {400, 413, 415} <= statuses(operation), path
        if "parameters" in operation:
            assert 400 in statuses(operation), path
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_who_must_sign_in_and_who_may_be_refused(document: dict[str, Any]) -> None:
    secured = {path for path, operation in operations(document) if "security" in operation}

    assert secured == set(document["paths"]) - PUBLIC
    for path, operation in operations(document):
        if "security" in operation:
            challenge = operation["responses"]["401"]["headers"]["WWW-Authenticate"]
            assert challenge["required"]
        if not path.startswith("/health"):
            assert {429, 503} <= statuses(operation), path


def test_signing_out_wants_no_access_token(document: dict[str, Any]) -> None:
    """As generated clients read it: the refresh token in the body will do."""
    security = document["paths"]["/api/auth/logout"]["post"]["security"]

    assert security == [{"HTTPBearer": []}, {}]


def test_a_wrong_current_password_is_documented_as_400(document: dict[str, Any]) -> None:
    """A 401 makes clients refresh, or sign out; its challenge is for the access token alone."""
    operation = document["paths"]["/api/users/me/change-password"]["post"]

    assert "current password is a 400" in operation["description"]
    assert "wrong_password" in document["components"]["schemas"]["ErrorCode"]["enum"]


def test_who_is_told_to_wait_is_told_how_long(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        for status in {429, 503} & statuses(operation):
            header = operation["responses"][str(status)]["headers"]["Retry-After"]
            assert header["schema"] == {"type": "integer", "minimum": 1}, path
