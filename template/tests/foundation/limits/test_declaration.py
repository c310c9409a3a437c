"""A limit stands at the route: declared in one line, counted before the body is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app import api
from app.application import create_app
from app.config import Settings
from tests.helpers import PASSWORD, add_module, connect, register

Routes = Callable[[str], None]

HEAD = """
from fastapi import APIRouter
from app.api.dependencies import CurrentUser
from app.api.schemas import Input, Message
from app.foundation.limits import hashes_password, rate_limit, unlimited

router = APIRouter(prefix="/api/reports")

class ReportInput(Input):
    title: str
"""


@pytest.fixture
def write_routes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Routes:
    """Put a file into `app/api/`, as an owner does, with a router and these routes."""

    def write(routes: str) -> None:
        file = tmp_path / "reports.py"
        file.write_text(HEAD + routes)
        add_module(monkeypatch, api, file)

    return write


async def statuses(app: FastAPI, *requests: str, **options: Any) -> list[int]:
    client = connect(app)
    return [(await client.request(*request.split(), **options)).status_code for request in requests]


async def test_a_limit_is_one_line_at_the_route(
    write_routes: Routes, start: Callable[..., Any]
) -> None:
    write_routes("""
@router.post("")
@rate_limit("2/hour", by="address")
async def make_report(body: ReportInput) -> Message:
    return Message(message=body.title)

@router.get("")
async def list_reports() -> Message:
    return Message(message="reports")
""")
    app = await start(rate_limit_general="3/hour")

    bodies: list[Any] = [{"title": "one"}, {"wrong": "body"}, {"title": "three"}]
    answers = [(await statuses(app, "POST /api/reports", json=body))[0] for body in bodies]

    assert answers == [200, 400, 429]
    # The other route, which declares nothing, falls under the general limit; neither counts for
    # the other.
    assert await statuses(app, *["GET /api/reports"] * 4) == [200, 200, 200, 429]


async def test_a_limit_by_user_counts_the_user_wherever_they_are(
    write_routes: Routes, start: Callable[..., Any]
) -> None:
    write_routes("""
@router.post("")
@rate_limit("1/hour", by="user")
async def make_report(user: CurrentUser) -> Message:
    return Message(message=user.email)
""")
    app = await start()
    office, home = connect(app), connect(app, "198.51.100.7")
    ada, eve = await register(office), await register(office, "eve@example.com")

    async def report(client: Any, account: Any) -> int:
        response = await client.post("/api/reports", headers=account.headers)
        return int(response.status_code)

    assert [await report(office, ada), await report(home, ada)] == [200, 429]
    assert await report(office, eve) == 200


async def test_a_limit_may_be_named_by_a_setting(
    write_routes: Routes, start: Callable[..., Any]
) -> None:
    write_routes("""
@router.get("")
@rate_limit("RATE_LIMIT_PASSWORD_RESET", by="address")
async def list_reports() -> Message:
    return Message(message="reports")
""")
    app = await start(rate_limit_password_reset="2/hour")

    assert await statuses(app, *["GET /api/reports"] * 3) == [200, 200, 429]


async def test_a_path_parameter_dodges_no_limit(
    write_routes: Routes, start: Callable[..., Any]
) -> None:
    write_routes("""
@router.get("/latest")
async def latest() -> Message:
    return Message(message="latest")

@router.get("/{report_id}")
@rate_limit("2/hour", by="address")
async def read_report(report_id: str) -> Message:
    return Message(message=report_id)
""")
    app = await start()

    tries = ["GET /api/reports/1", "GET /api/reports/2", "GET /api/reports/3"]
    assert await statuses(app, *tries, "HEAD /api/reports/4", "GET /api/reports/5%0a") == [
        200,
        200,
        429,
        429,
        429,
    ]
    # What the router gives to another route is not this one's.
    assert await statuses(app, *["GET /api/reports/latest"] * 3) == [200] * 3


async def test_what_hides_a_route_has_its_limit_too(
    write_routes: Routes, start: Callable[..., Any]
) -> None:
    """The router takes the first that matches, and so do the limits."""
    write_routes("""
@router.get("/{report_id}")
@rate_limit("1/hour", by="address")
async def read_report(report_id: str) -> Message:
    return Message(message=report_id)

@router.get("/latest")
async def latest() -> Message:
    return Message(message="never")
""")
    app = await start()

    assert await statuses(app, "GET /api/reports/1", "GET /api/reports/latest") == [200, 429]


async def test_an_unlimited_route_is_never_refused(
    write_routes: Routes, start: Callable[..., Any]
) -> None:
    write_routes("""
@router.get("")
@unlimited
async def list_reports() -> Message:
    return Message(message="reports")
""")
    app = await start(rate_limit_general="1/hour")

    assert await statuses(app, *["GET /api/reports"] * 3) == [200] * 3


async def test_a_full_queue_refuses_before_it_counts(
    write_routes: Routes, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_routes("""
@router.get("")
@rate_limit("1/hour", by="address")
@hashes_password
async def list_reports() -> Message:
    return Message(message="reports")
""")
    app = await start()

    with monkeypatch.context() as full_queue:
        full_queue.setattr("app.accounts.passwords.MAX_QUEUED", 0)
        assert await statuses(app, *["GET /api/reports"] * 2) == [503, 503]
    assert await statuses(app, *["GET /api/reports"] * 2) == [200, 429]


@pytest.mark.parametrize(
    ("rate", "problem"),
    [
        ("often", 'GET /api/reports: write one rate, for example "5/15 minutes"'),
        ("0/minute", "GET /api/reports: write one rate"),
        ("5/minute; 9/hour", "GET /api/reports: write one rate"),
        ("RATE_LIMIT_REPORTS", "GET /api/reports: there is no setting RATE_LIMIT_REPORTS"),
        ("APP_NAME", "GET /api/reports: write one rate"),
    ],
)
def test_a_rate_that_says_nothing_stops_the_start(
    write_routes: Routes, settings: Settings, rate: str, problem: str
) -> None:
    write_routes(f"""
@router.get("")
@rate_limit("{rate}", by="address")
async def list_reports() -> Message:
    return Message(message="reports")
""")

    with pytest.raises(ValueError, match=problem):
        create_app(settings)


def test_a_limit_on_what_is_no_route_stops_the_start(
    write_routes: Routes, settings: Settings
) -> None:
    write_routes("""
@rate_limit("5/minute", by="address")
async def list_reports() -> Message:
    return Message(message="reports")
""")

    with pytest.raises(ValueError, match=r"app\.api\.reports\.list_reports declares a limit"):
        create_app(settings)


async def test_the_limits_of_the_accounts_are_counted_apart(start: Callable[..., Any]) -> None:
    app = await start(rate_limit_auth="1/hour", rate_limit_password_reset="1/hour")
    body = {"email": "eve@example.com", "password": PASSWORD}

    for path in ("register", "login", "forgot-password", "reset-password"):
        first, second = await statuses(app, *[f"POST /api/auth/{path}"] * 2, json=body)
        assert first != 429
        assert second == 429
