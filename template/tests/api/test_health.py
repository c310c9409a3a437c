"""`/health`: alive, and ready."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app import __version__
from app.services import Readiness
from tests.helpers import Tables, connect, error_code, moment, register, services_of


async def test_health(client: httpx.AsyncClient) -> None:
    response = await client.get("/health")

    assert response.status_code == 200
    body = response.json()
    assert abs(moment(body.pop("timestamp")) - datetime.now(UTC)) < timedelta(minutes=1)
    assert body == {"status": "ok", "version": __version__}


async def test_ready_when_everything_answers(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok", "database": "ok", "limits": "ok", "oldestMailSeconds": 0
    }  # fmt: skip


async def test_readiness_tells_how_old_the_oldest_undelivered_mail_is(
    start: Callable[..., Any], database: Tables, closed_port: int
) -> None:
    """It is no reason to take the worker out: another one could not send it either. What anybody
    may ask for does not count: it would tell who has an account."""
    app = await start(smtp_host="127.0.0.1", smtp_port=closed_port)
    client = connect(app)
    ada = await register(client)
    await client.post("/api/auth/forgot-password", json={"email": ada.email})
    await database.travel(minutes=5)
    await services_of(app).outbox.close()
    async with database.transaction() as db:
        await services_of(app).outbox.promise(db, "password_changed", ada.email, user_id=None)
    await database.travel(minutes=5)

    response = await client.get("/health/ready")

    assert response.status_code == 200
    assert 300 <= response.json()["oldestMailSeconds"] < 360


async def test_readiness_does_not_tell_whether_an_address_is_taken(
    start: Callable[..., Any], database: Tables, closed_port: int
) -> None:
    """A mail to confirm an address is sent only if nobody has it. While the mail server puts it
    off, that would show."""
    app = await start(smtp_host="127.0.0.1", smtp_port=closed_port, email_change="confirm")
    client = connect(app)
    ada = await register(client)
    free = {"email": "ada@example.org"}
    assert (await client.patch("/api/users/me", json=free, headers=ada.headers)).is_success
    await services_of(app).outbox.close()
    await database.travel(minutes=5)

    response = await client.get("/health/ready")

    assert response.json()["oldestMailSeconds"] == 0
    assert await services_of(app).outbox.queue.oldest() is not None, "check tells its operator"


async def test_not_ready_without_a_database(start: Callable[..., Any], tmp_path: Path) -> None:
    client = connect(await start(database_url=f"sqlite:///{tmp_path}/nowhere/app.db"))

    ready = await client.get("/health/ready")

    assert (ready.status_code, error_code(ready)) == (503, "unavailable")
    assert int(ready.headers["retry-after"]) >= 1
    assert ready.json()["error"]["details"] == [{"field": "database", "message": "down"}]
    assert (await client.get("/health")).status_code == 200
    login = await client.post("/api/auth/login", json={"email": "ada@example.com", "password": "x"})
    assert (login.status_code, error_code(login)) == (503, "unavailable")


async def test_not_ready_before_the_first_migration(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    client = connect(await start(database_url=f"sqlite:///{tmp_path}/new.db"))

    ready = await client.get("/health/ready")

    assert ready.status_code == 503
    assert ready.json()["error"]["details"] == [{"field": "database", "message": "down"}]


async def test_a_flood_of_probes_is_one_look(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would take a connection of the database and one of Redis."""
    looks = 0

    async def look() -> Readiness:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return Readiness({"database": True, "limits": looks > 1}, oldest_mail=None)

    shared = services_of(app).readiness
    monkeypatch.setattr(shared, "_ask", look)
    monkeypatch.setattr(shared, "_answer", None)
    impatient = asyncio.ensure_future(client.get("/health/ready"))
    await asyncio.sleep(0)
    answers = [asyncio.ensure_future(client.get("/health/ready")) for _ in range(300)]
    impatient.cancel()  # who goes away takes nobody's answer along
    assert {answer.status_code for answer in await asyncio.gather(*answers)} == {503}
    assert looks == 1

    shared._good_until = 0.0
    heads = [client.head("/health/ready") for _ in range(300)]
    assert {answer.status_code for answer in await asyncio.gather(*heads)} == {200}
    assert looks == 2
