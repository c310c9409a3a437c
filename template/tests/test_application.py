"""The application as a whole: routers, documentation, unknown addresses, and its start."""

import gc
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from app.accounts.common_passwords import common_passwords
from app.api import health
from app.application import create_app
from app.config import Settings
from app.foundation.http.security_headers import SECURITY_HEADERS
from tests.helpers import ROOT, Account, Tables, connect, error_code, register, services_of
from tests.live import APPLICATION

NOT_FOUND = {"error": {"code": "not_found", "message": "There is nothing at this address."}}


def test_fastapi_dev_serves_what_every_server_here_does() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert project["tool"]["fastapi"]["entrypoint"] == APPLICATION


@pytest.mark.parametrize("path", ["/nowhere", "/api", "/api/auth", "/api/users/me/x", "/é"])
async def test_an_unknown_address_is_a_404(client: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        response = await client.request(method, path)
        assert (response.status_code, response.json()) == (404, NOT_FOUND)
        assert error_code(response) == "not_found"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/health", "GET, HEAD"),
        ("/health/ready", "GET, HEAD"),
        ("/api/auth/login", "POST"),
        ("/api/auth/logout", "POST"),
        ("/api/users", "GET, HEAD"),
        ("/api/users/me", "DELETE, GET, HEAD, PATCH"),
        ("/api/users/7f1c4f64-0000-4000-8000-000000000000", "DELETE, GET, HEAD, PATCH"),
    ],
)
async def test_a_405_names_every_method_there_is(
    client: httpx.AsyncClient, path: str, allowed: str
) -> None:
    for method in ("PUT", "TRACE", "PROPFIND", "OPTIONS"):
        response = await client.request(method, path)
        assert (response.status_code, error_code(response)) == (405, "method_not_allowed")
        assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/health/", "/api/auth/login/", "/api/users/me/", "/api/users/"])
async def test_a_trailing_slash_is_no_redirect(client: httpx.AsyncClient, path: str) -> None:
    """The framework would redirect to whatever Host the client sent."""
    for method in ("GET", "POST"):
        response = await client.request(method, path, headers={"Host": "evil.example"})
        assert response.status_code in {401, 404, 405}
        assert "location" not in response.headers
        assert "evil" not in response.text


async def test_every_answer_has_the_security_headers(
    client: httpx.AsyncClient, ada: Account
) -> None:
    answers = [
        await client.get("/health"),
        await client.get("/api/users/me", headers=ada.headers),
        await client.get("/api/users/me"),
        await client.get("/nowhere"),
        await client.put("/health"),
        await client.post("/api/auth/login", json={}),
        await client.post("/api/auth/login", content=b"x"),
    ]

    for response in answers:
        for name, value in SECURITY_HEADERS:
            assert response.headers[name.decode()] == value.decode()
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


def test_each_router_of_the_api_is_served_because_it_is_there(app: FastAPI) -> None:
    served = {route.endpoint for route in iter_route_contexts(app.routes)}
    routers = {}
    for file in (ROOT / "app" / "api").glob("[a-z]*.py"):
        module = importlib.import_module(f"app.api.{file.stem}")
        if hasattr(module, "router"):
            routers[file.stem] = {route.endpoint for route in module.router.routes}

    assert routers.keys() >= {"auth", "users", "health"}
    for name, endpoints in routers.items():
        assert endpoints <= served, name


def test_no_route_is_hidden_by_an_earlier_one(app: FastAPI) -> None:
    """The first that matches answers: `/users/{id}` before `/users/me` would take its requests."""
    routes = [
        (route.path, route.methods)
        for route in iter_route_contexts(app.routes)
        if route.path and route.methods
    ]
    for position, (path, methods) in enumerate(routes):
        for earlier, answered in routes[:position]:
            pattern, _, _ = compile_path(earlier)
            assert not (methods & answered and pattern.match(path)), f"{earlier} hides {path}"


async def test_the_documentation_is_there_while_developing(client: httpx.AsyncClient) -> None:
    for path in ("/docs", "/redoc"):
        response = await client.get(path)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/html")
    schema = (await client.get("/openapi.json")).json()
    assert "/api/auth/register" in schema["paths"]


async def test_the_documentation_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    """Behind a firewall a page that does would stay white."""
    for path in ("/docs", "/redoc"):
        page = await client.get(path)
        names = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(names) >= 4
        for name in names:
            assert re.match(r"docs/|openapi\.json$|data:,$", name), name
            if name.startswith("docs/"):
                answer = await client.get(f"/{name}")
                assert answer.status_code == 200, name
                kind = "text/css" if name.endswith(".css") else "text/javascript"
                assert answer.headers["content-type"].startswith(kind)
        assert not re.search(r"https?://", page.headers["content-security-policy"])
    assert (await client.get("/docs/docs.html")).status_code == 404


async def test_the_address_alone_says_what_this_is(app: FastAPI, client: httpx.AsyncClient) -> None:
    answer = (await client.get("/")).json()

    assert answer["name"] == app.title
    assert answer["documentation"] == ["/docs", "/redoc", "/openapi.json"]


async def test_an_owner_may_answer_the_address_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = APIRouter(routes=[*health.router.routes])
    router.add_api_route("/", lambda: "mine")
    monkeypatch.setattr(health, "router", router)

    paths = [route.path for route in iter_route_contexts(create_app(settings).routes)]
    assert paths.count("/") == 1


async def test_the_documentation_can_be_switched_off(start: Callable[..., Any]) -> None:
    client = connect(await start(docs_enabled=False))

    for path in ("/", "/docs", "/redoc", "/openapi.json", "/docs/swagger-ui.css"):
        assert (await client.get(path)).status_code == 404


@pytest.fixture
def import_main(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Import `app.main` anew, as a server does, with some variables set."""
    monkeypatch.chdir(tmp_path)

    def import_it(**variables: str) -> ModuleType:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        sys.modules.pop("app.main", None)
        return importlib.import_module("app.main")

    yield import_it
    sys.modules.pop("app.main", None)
    gc.unfreeze()


def test_the_application_is_app_main_app(
    import_main: Callable[..., Any], values: dict[str, str]
) -> None:
    main = import_main(JWT_SECRET=values["jwt_secret"], DATABASE_URL=values["database_url"])

    assert isinstance(main.app, FastAPI)
    assert gc.get_freeze_count() > 0


async def test_an_application_leaves_its_process_as_it_is(start: Callable[..., Any]) -> None:
    """It may be one of several, or a test's; the collector is for `app.main` to decide about."""
    before = gc.get_freeze_count()

    await start()

    assert gc.get_freeze_count() == before


def test_a_wrong_setting_stops_the_start_without_a_traceback(
    import_main: Callable[..., Any],
) -> None:
    with pytest.raises(SystemExit) as caught:
        import_main(JWT_SECRET="", BCRYPT_COST="canary")

    message = str(caught.value)
    assert message.startswith("The settings are wrong:\n")
    assert "JWT_SECRET" in message
    assert "BCRYPT_COST" in message
    assert "canary" not in message


def test_production_says_what_is_risky(
    import_main: Callable[..., Any], values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    import_main(
        ENVIRONMENT="production",
        JWT_SECRET=values["jwt_secret"],
        DATABASE_URL=values["database_url"],
        SMTP_HOST="mail.example.com",
        EMAIL_FROM="no-reply@example.com",
        PASSWORD_RESET_URL="https://app.example.com/reset-password",
    )

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in lines} == {"settings.risk"}
    assert {line["setting"] for line in lines} >= {"REDIS_URL", "ALLOWED_HOSTS"}


async def test_production_warns_of_development_users(
    start: Callable[..., Any],
    database: Tables,
    client: httpx.AsyncClient,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Their passwords were on somebody's screen, and one is an admin's."""
    live = {
        "environment": "production",
        "bcrypt_cost": 12,
        "smtp_host": "mail.example.com",
        "email_from": "no-reply@example.com",
        "password_reset_url": "https://app.example.com/reset-password",
    }
    for emails in ([], ["admin@example.com"]):
        for email in emails:
            await register(client, email)
        capsys.readouterr()
        app = await start(**live)
        await services_of(app).background.close()
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        risks = [line["risk"] for line in lines if line["event"] == "settings.risk"]
        told = "the development users are in the database; deactivate "
        assert risks == [f"{told}{email}" for email in emails]


async def test_starting_connects_to_nothing(start: Callable[..., Any], closed_port: int) -> None:
    """So that the order in which things start does not matter."""
    down = f"127.0.0.1:{closed_port}"
    app = await start(database_url=f"postgresql://user@{down}/name", redis_url=f"redis://{down}/0")

    assert (await connect(app).get("/health")).status_code == 200


ALONE = {
    "ENVIRONMENT": "test",
    "DATABASE_URL": "sqlite:///./unused.db",
    "REDIS_URL": "",
    "SMTP_HOST": "",
}


def modules_of_a_start(values: dict[str, str], **variables: str) -> set[str]:
    """What a process has imported that imported `app.main` and looked for a common password."""
    program = """if True:
        import app.main, gc, json, sys
        from app.accounts.common_passwords import is_common
        print(json.dumps([gc.isenabled() and is_common("Passw0rd"), *sys.modules]))
    """
    environment = {**os.environ, **ALONE, "JWT_SECRET": values["jwt_secret"], **variables}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    works, *modules = json.loads(done.stdout)
    assert works is True
    return set(modules)


def test_a_start_imports_only_what_its_settings_ask_for(values: dict[str, str]) -> None:
    """Each of these costs every worker time and memory."""
    with_mail = modules_of_a_start(values, SMTP_HOST="mail.example.com")
    with_redis = modules_of_a_start(values, REDIS_URL="redis://localhost:6379/0")
    alone = modules_of_a_start(values)

    assert "aiosmtplib" in with_mail - alone
    assert "redis" in with_redis - alone
    assert alone.isdisjoint({"zxcvbn", "alembic", "dns", "uvicorn", "app.manage"})


async def test_the_common_passwords_are_read_before_the_first_request(
    start: Callable[..., Any],
) -> None:
    """It takes as long as twenty reads."""
    common_passwords.cache_clear()
    await start()

    assert common_passwords.cache_info().currsize == 1
