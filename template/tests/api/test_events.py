"""`/api/users/…/events`: "was that me?" has an answer, for its owner and for admins."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, update

from app.accounts import administration
from app.accounts.models import User
from app.foundation.database import Database
from tests.helpers import (
    ADDRESS,
    NOBODY,
    OTHER_PASSWORD,
    Account,
    Tables,
    connect,
    error_code,
    moment,
    refresh,
    register,
    services_of,
    sign_in,
    try_refresh,
)
from tests.patience import PATIENT_SECONDS

OWN = "/api/users/me/events"


async def events(client: httpx.AsyncClient, account: Account, path: str = OWN) -> list[Any]:
    await services_of(client._transport.app).background.close()  # type: ignore[attr-defined]
    response = await client.get(path, headers=account.headers)
    assert response.status_code == 200, response.text
    listed: list[Any] = response.json()["events"]
    return listed


async def test_the_owner_sees_what_happened(app: FastAPI) -> None:
    ada = await register(connect(app, headers={"User-Agent": "Ada's laptop"}))
    thief = connect(app, "198.51.100.66", headers={"User-Agent": "curl\x1b/8"})
    body = {"email": ada.email, "password": OTHER_PASSWORD}
    assert (await thief.post("/api/auth/login", json=body)).status_code == 401

    failed, registered = await events(connect(app), ada)

    assert moment(failed.pop("createdAt"))
    assert UUID(failed.pop("id"))
    assert failed == {
        "event": "auth.login_failed",
        "ipAddress": "198.51.100.66",
        "userAgent": "curl/8",
        "sessionId": None,
        "actor": None,
        "details": {},
    }
    assert registered["event"] == "auth.user_registered"
    assert (registered["ipAddress"], registered["userAgent"]) == (ADDRESS, "Ada's laptop")


async def test_a_theft_is_kept_with_where_it_came_from(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    (session,) = await database.sessions()
    await refresh(client, await refresh(client, ada))
    await try_refresh(connect(app, "198.51.100.66"), ada.refresh_token)

    _, reused, _ = await events(client, await sign_in(client))
    assert (reused["event"], reused["ipAddress"]) == ("auth.refresh_reused", "198.51.100.66")
    assert reused["sessionId"] == str(session.id)


async def test_who_acts_for_the_house_is_shown_to_admins_alone(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, admin: Account
) -> None:
    """The owner learns that it was an admin, not which one and from where."""
    away = connect(app, "203.0.113.9")
    path = f"/api/users/{ada.id}"
    changed = await away.patch(path, json={"role": "admin"}, headers=admin.headers)
    assert changed.status_code == 200

    own = (await events(client, ada))[0]
    assert (own["event"], own["actor"], own["details"]) == (
        "auth.role_changed",
        "admin",
        {"role": "admin"},
    )
    assert [own[name] for name in ("ipAddress", "userAgent", "sessionId")] == [None] * 3
    assert "requestId" not in own
    full = (await events(client, admin, f"{path}/events"))[0]
    assert (full["actor"], full["ipAddress"]) == (f"admin {admin.id}", "203.0.113.9")
    assert full["requestId"] == changed.headers["x-request-id"]


async def test_events_are_nobody_elses(
    client: httpx.AsyncClient, ada: Account, admin: Account
) -> None:
    eve = await register(client, "eve@example.com")
    refused = await client.get(f"/api/users/{ada.id}/events", headers=eve.headers)

    assert (refused.status_code, error_code(refused)) == (403, "forbidden")
    assert (await client.get(OWN)).status_code == 401
    assert {event["event"] for event in await events(client, eve)} == {"auth.user_registered"}
    missing = await client.get(f"/api/users/{NOBODY}/events", headers=admin.headers)
    assert (missing.status_code, error_code(missing)) == (404, "not_found")


async def test_they_are_paged_the_latest_first(client: httpx.AsyncClient, ada: Account) -> None:
    for _ in range(3):
        await sign_in(client)

    page = await client.get(f"{OWN}?limit=1&offset=3", headers=ada.headers)

    assert [event["event"] for event in page.json()["events"]] == ["auth.user_registered"]
    assert {name: page.json()[name] for name in ("total", "limit", "offset")} == {
        "total": 4,
        "limit": 1,
        "offset": 3,
    }
    assert (await client.get(f"{OWN}?user=1", headers=ada.headers)).status_code == 400


async def test_they_are_kept_for_90_days(
    client: httpx.AsyncClient, app: FastAPI, ada: Account, database: Tables
) -> None:
    await database.travel(days=89)
    assert (await administration.purge(services_of(app)))["events"] == 0
    assert len(await database.events(ada)) == 1
    await database.travel(days=2)
    again = await sign_in(client)

    assert (await administration.purge(services_of(app)))["events"] == 1
    assert [e.event for e in await database.events(again)] == ["auth.login_succeeded"]


async def test_they_go_with_the_account(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await database.execute(delete(User).where(User.email == ada.email))

    assert await database.events(ada) == []


async def test_an_event_and_what_it_tells_of_are_one_transaction(
    client: httpx.AsyncClient, ada: Account, database: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the event can't be written, nothing has happened."""
    monkeypatch.setattr("app.accounts.events.uuid4", lambda: UUID(NOBODY))
    await sign_in(client)  # takes the id

    failed = await client.post(
        "/api/auth/logout", json={"refreshToken": ada.refresh_token}, headers=ada.headers
    )

    assert failed.status_code == 500
    assert [session.revoked_at for session in await database.sessions()] == [None, None]


async def test_a_failed_login_works_the_same_for_an_account_and_for_none(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement after the answer, whoever was tried: nobody's latency tells."""
    work: list[str] = []
    execute = Database.execute

    async def watched(self: Database, statement: Any, **parameters: Any) -> Any:
        rows = await execute(self, statement, **parameters)
        work.append(str(statement))
        return rows

    monkeypatch.setattr(Database, "execute", watched)
    for email in (ada.email, "nobody@example.com"):
        await client.post("/api/auth/login", json={"email": email, "password": OTHER_PASSWORD})
        await services_of(app).background.close()

    assert len(work) == 2
    assert work[0] == work[1]


async def test_a_failed_login_is_kept_at_a_random_moment(
    start: Callable[..., Any], database: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an account has a row to write: a request just after the answer must not wait for it."""
    drawn: asyncio.Queue[tuple[float, float]] = asyncio.Queue()

    def late(*bounds: float) -> float:
        drawn.put_nowait((bounds[0], bounds[1]))
        return 3600.0

    monkeypatch.setattr("app.foundation.background.random.uniform", late)
    app = await start(smtp_host="127.0.0.1")
    client = connect(app)
    ada = await register(client)
    before = len(await database.events(ada))
    body = {"email": ada.email, "password": OTHER_PASSWORD}

    assert (await client.post("/api/auth/login", json=body)).status_code == 401

    assert await asyncio.wait_for(drawn.get(), PATIENT_SECONDS) == (0, 2)
    assert len(await database.events(ada)) == before
    await services_of(app).background.close()  # a stop loses nothing
    assert len(await database.events(ada)) == before + 1


async def test_a_database_that_is_away_costs_the_event_and_not_the_answer(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError

    monkeypatch.setattr(Database, "execute", fail)
    body = {"email": ada.email, "password": OTHER_PASSWORD}

    assert (await client.post("/api/auth/login", json=body)).status_code == 401
    await services_of(app).background.close()


async def test_an_inactive_account_keeps_its_events(
    client: httpx.AsyncClient, ada: Account, admin: Account, database: Tables
) -> None:
    await database.execute(update(User).where(User.email == ada.email).values(is_active=False))
    await client.post("/api/auth/login", json=ada.credentials)

    latest = (await events(client, admin, f"/api/users/{ada.id}/events"))[0]
    assert latest["event"] == "auth.login_failed"
