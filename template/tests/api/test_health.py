"""`/health`: alive, and ready."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from app import __version__
from tests.helpers import connect, error_code


async def test_health(client: httpx.AsyncClient) -> None:
    response = await client.get("/health")

    assert response.status_code == 200
    body = response.json()
    moment = datetime.fromisoformat(body.pop("timestamp"))
    assert moment.utcoffset() == timedelta(0)
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)
    assert body == {"status": "ok", "version": __version__}


async def test_ready_when_everything_answers(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "limits": "ok"}


async def test_not_ready_without_a_database(start: Callable[..., Any], tmp_path: Path) -> None:
    client = connect(await start(database_url=f"sqlite:///{tmp_path}/nowhere/app.db"))

    ready = await client.get("/health/ready")

    assert (ready.status_code, error_code(ready)) == (503, "unavailable")
    assert int(ready.headers["retry-after"]) >= 1
    assert ready.json()["error"]["details"] == {"database": "down", "limits": "ok"}
    assert (await client.get("/health")).status_code == 200
    login = await client.post("/api/auth/login", json={"email": "ada@example.com", "password": "x"})
    assert (login.status_code, error_code(login)) == (503, "unavailable")


async def test_not_ready_before_the_first_migration(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    client = connect(await start(database_url=f"sqlite:///{tmp_path}/new.db"))

    ready = await client.get("/health/ready")

    assert ready.status_code == 503
    assert ready.json()["error"]["details"]["database"] == "down"
