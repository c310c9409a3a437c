"""The OpenAPI document tells the truth; `python -m tests.referees` holds the API to it."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from jsonschema_rs import Draft202012Validator
from pydantic import BaseModel, create_model

from app.application import create_app
from app.config import Settings
from app.errors import ErrorCode
from app.foundation.http.openapi_document import ANSWERS
from app.manage.openapi import CONTRACT
from tests.helpers import PASSWORD, Account, error_code

ALWAYS_SHOWN = {"400", "401", "403", "404", "413", "415", "429", "500", "503"}

JSON = {"Content-Type": "application/json"}

NOT_CONTRACT = re.compile("/(info|servers)")

Operation = tuple[str, dict[str, Any]]

PUBLIC = {
    "/.well-known/jwks.json",
    "/api/auth/register",
    "/api/auth/login",
    "/api/auth/refresh",
    "/api/auth/confirm-email",
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
                assert schema == {"$ref": "#/components/schemas/ApiError"}, (path, status)
    assert document["components"]["schemas"]["ErrorCode"]["enum"] == list(ErrorCode)


def unknown_references(document: dict[str, Any]) -> set[str]:
    schemas: dict[str, Any] = document["components"]["schemas"]
    return set(re.findall(r"#/components/schemas/([^']+)", str(document))) - schemas.keys()


def app_with(name: str, settings: Settings) -> FastAPI:
    """The application with a model of that name, in and out, and an answer 422 of its own."""
    model: type[BaseModel] = create_model(name, column=(int, ...))
    app = create_app(settings)
    app.add_api_route("/own", lambda: None, response_model=model, responses={422: {"model": model}})

    @app.webhooks.post("told")
    async def _(body: model) -> None: ...

    return app


@pytest.mark.parametrize("name", ["Note", "Error", "ErrorBody", "ValidationError"])
def test_owners_may_document_their_own(settings: Settings, name: str) -> None:
    document = app_with(name, settings).openapi()

    assert unknown_references(document) == set()
    assert 422 in statuses(document["paths"]["/own"]["get"])


@pytest.mark.parametrize("name", ["ApiError", "ApiErrorBody", "FieldProblem", "ErrorCode"])
def test_no_other_model_is_called_as_the_error(settings: Settings, name: str) -> None:
    with pytest.raises(ValueError, match=f"called {name} too: rename"):
        app_with(name, settings).openapi()


def test_validation_is_400_as_documented(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        assert 422 not in statuses(operation), path
        if "requestBody" in operation:
            assert {400, 413, 415} <= statuses(operation), path
        if "parameters" in operation:
            assert 400 in statuses(operation), path
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_who_must_sign_in_and_who_may_be_refused(document: dict[str, Any]) -> None:
    secured = {path for path, operation in operations(document) if operation["security"]}

    assert secured == {path for path in document["paths"] if path.startswith("/api/")} - PUBLIC
    for path, operation in operations(document):
        if operation["security"]:
            challenge = operation["responses"]["401"]["headers"]["WWW-Authenticate"]
            assert challenge["required"]
        if path.startswith("/api/"):
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


def test_operations_are_called_like_their_functions(document: dict[str, Any]) -> None:
    """Generated clients have a function of that name, so an owner's routes need other ones too."""
    names = [operation["operationId"] for _, operation in operations(document)]

    assert {name for name in names if names.count(name) > 1} == set(), "rename one of the functions"
    assert {"changePassword", "readProfile", "health"} <= {*names}


def test_titles_are_words(document: dict[str, Any]) -> None:
    body = document["components"]["schemas"]["ChangePasswordInput"]["properties"]
    assert body["currentPassword"]["title"] == "Current password"


def test_tags_are_explained_and_in_order(document: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}

    assert [*tags][:2] == ["auth", "users"]
    assert [*tags][-1] == "health"
    assert tags["auth"] == "Registering, signing in and out, and resetting a password."


def schemas_in(part: Any) -> Iterator[dict[str, Any]]:
    """Every mapping below; a schema is one of them."""
    if isinstance(part, dict):
        yield part
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from schemas_in(inner)


def test_patterns_work_in_every_engine(document: dict[str, Any]) -> None:
    """Go's and Rust's know no look-arounds; generators write a line separator as it is."""
    schemas = schemas_in(document)
    patterns = [schema["pattern"] for schema in schemas if isinstance(schema.get("pattern"), str)]

    assert [text for text in patterns if re.search(r"\(\?[^:]|[\u2028\u2029]", text)] == []


ACCEPTED = {
    "email": (
        "ada@example.com",
        " Grace@Example.COM ",
        "jürgen@exämple.de",
        f"{'a' * 64}@x.example",
    ),
    "password": ("Ähnlich-99", "Пароль-12345", "Correct-Horse-7", "A1" + "e\u0301" * 35),
    "name": ("Ada", "  Ada\n", "x" * 100 + "  ", "李", "Zoë\u200d", None),
}


@pytest.mark.parametrize("field", ACCEPTED)
async def test_a_schema_is_true_of_all_that_is_accepted(
    client: httpx.AsyncClient, document: dict[str, Any], field: str
) -> None:
    """Clients made from it refuse the rest unasked. Formats are checked, as they do."""
    schema = document["components"]["schemas"]["RegisterInput"]
    validator = Draft202012Validator(schema, validate_formats=True)
    for number, value in enumerate(ACCEPTED[field]):
        sound = {"email": f"a{number}@example.com", "password": "Correct-Horse-7"}
        body = {**sound, field: value}
        assert (await client.post("/api/auth/register", json=body)).status_code == 201, value
        validator.validate(body)


async def test_what_is_left_out_stays_and_null_is_no_way_to_say_it(
    client: httpx.AsyncClient, admin: Account, ada: Account
) -> None:
    path = f"/api/users/{ada.id}"
    for body in ({"role": None}, {"isActive": None}):
        response = await client.patch(path, json=body, headers=admin.headers)
        assert error_code(response) == "validation_failed"
    unchanged = await client.patch(path, json={}, headers=admin.headers)
    assert unchanged.json()["role"] == "user"
    assert unchanged.json()["isActive"] is True


def test_examples_show_values_as_they_are(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        for name in ("email", "accessToken"):
            if name in schema.get("properties", {}):
                assert schema["properties"][name]["examples"], (schema["title"], name)
    sent = document["paths"]["/api/auth/logout"]["post"]["responses"]["200"]
    assert sent["content"]["application/json"]["example"] == {"message": "Logged out"}


def test_each_error_shows_its_own_codes(document: dict[str, Any]) -> None:
    examples = document["components"]["examples"]
    for path, operation in operations(document):
        for status, response in operation["responses"].items():
            shown = response.get("content", {}).get("application/json", {}).get("examples", {})
            assert shown or status not in ALWAYS_SHOWN, (path, status)
            for code, reference in shown.items():
                assert reference == {"$ref": f"#/components/examples/{code}"}
                assert examples[code]["value"]["error"]["code"] == code
    login = document["paths"]["/api/auth/login"]["post"]["responses"]
    assert [*login["401"]["content"]["application/json"]["examples"]] == ["invalid_credentials"]


async def test_examples_of_errors_are_what_is_answered(
    client: httpx.AsyncClient, document: dict[str, Any], admin: Account, ada: Account
) -> None:
    login = {"email": ada.email, "password": "Wrong-Horse-7"}
    own = f"/api/users/{admin.id}"
    change = {"currentPassword": "Wrong-Horse-7", "newPassword": "Correct-Horse-8"}
    nobody = f"/api/users/{UUID(int=7)}"
    answers = [
        await client.post("/api/auth/login", json={"email": "ada", "password": "x"}),
        await client.post("/api/auth/login", json=login),
        await client.post("/api/auth/login", content=b"{", headers=JSON),
        await client.post("/api/auth/login", content=b"x" * 65537, headers=JSON),
        await client.post("/api/auth/login", content=b"x", headers={"Content-Type": "text/plain"}),
        await client.post(
            "/api/auth/reset-password", json={"token": "x", "newPassword": "Abcdef-12345"}
        ),
        await client.post("/api/auth/register", json={**login, "password": "Correct-Horse-7"}),
        await client.post("/api/users/me/change-password", json=change, headers=ada.headers),
        await client.get("/api/users/me"),
        await client.get("/api/users/me", headers={"Authorization": "Bearer x"}),
        await client.get("/api/users", headers=ada.headers),
        await client.get(nobody, headers=admin.headers),
        await client.patch(own, json={"role": "user"}, headers=admin.headers),
        await client.post("/api/auth/confirm-email", json={"token": "x"}),
        await client.request(
            "DELETE", "/api/users/me", json={"currentPassword": PASSWORD}, headers=admin.headers
        ),
        await client.get("/health", headers={"X-Large": "x" * 33_000}),
    ]
    examples = document["components"]["examples"]
    for answer in answers:
        error = answer.json()["error"]
        shown = examples[error["code"]]["value"]["error"]
        assert error["message"] == shown["message"]
        assert not ("details" in error) ^ ("details" in shown), error["code"]
    others = {
        *("refresh_superseded", "internal_error", "unavailable", "rate_limited"),
        *("fresh_login_required", "limit_reached", "already_exists", "precondition_failed"),
    }
    known = json.loads(ANSWERS.read_bytes())["examples"].keys()
    assert {answer.json()["error"]["code"] for answer in answers} == known - others


def test_whom_to_ask_and_on_what_terms_is_a_setting(make_settings: Callable[..., Settings]) -> None:
    told = make_settings(api_contact="api@example.com", api_license="MIT")
    info = create_app(told).openapi()["info"]
    assert info["contact"] == {"name": told.app_name, "email": "api@example.com"}
    assert info["license"] == {"name": "MIT", "identifier": "MIT"}

    told = make_settings(
        api_contact="https://example.com/help", api_license="Terms https://x.example/terms"
    )
    info = create_app(told).openapi()["info"]
    assert info["contact"]["url"] == "https://example.com/help"
    assert info["license"] == {"name": "Terms", "url": "https://x.example/terms"}
    assert "license" not in create_app(make_settings()).openapi()["info"]


def difference(kept: Any, now: Any, at: str = "") -> Iterator[str]:
    """The places where two documents differ."""
    if isinstance(kept, dict) and isinstance(now, dict):
        for name in {**kept, **now}:
            yield from difference(kept.get(name), now.get(name), f"{at}/{name}")
    elif kept != now:
        yield at


def test_the_contract_is_kept(document: dict[str, Any]) -> None:
    """Whoever changes the API sees what that means for its clients, and commits it.

    `info` and `servers` belong to a deployment.
    """
    if not CONTRACT.is_file():
        pytest.skip("there is no openapi.json; python -m app.manage openapi --write makes it")
    kept = json.loads(CONTRACT.read_text(encoding="utf-8"))
    changed = [place for place in difference(kept, document) if not NOT_CONTRACT.match(place)]
    assert changed == [], "if this is what you want: python -m app.manage openapi --write"
