"""The database or Redis stopped, frozen, or full: a clear answer in time, and nothing lost.

The servers are real and so are their parts; a proxy between them is cut, frozen and restored.
"""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.accounts.models import Role, User
from app.foundation.database import DEADLINE_SECONDS, driver_url
from app.foundation.limits.redis import REDIS_TIMEOUT_SECONDS
from tests.helpers import (
    GIVE_UP_SECONDS,
    Account,
    Tables,
    bearer,
    connect,
    error_code,
    is_signed_in,
    migrate,
    refresh,
    register,
    services_of,
    sign_in,
)
from tests.live import Serve, Server
from tests.patience import deadlines, soon
from tests.proxy import Proxy, proxy_to
from tests.services import TEST_REDIS_URL, directly, needs_postgresql, needs_redis

LONGEST_WAIT_SECONDS = 3.0
"""The contract's own bound: a client hears of an outage within it."""

Break = Callable[[Proxy], Awaitable[None]]


async def cut(proxy: Proxy) -> None:
    await proxy.cut()


async def freeze(proxy: Proxy) -> None:
    proxy.freeze()


breaks = pytest.mark.parametrize("broken", [cut, freeze])


def everything(account: Account) -> list[tuple[str, str, object]]:
    """A request to each endpoint that needs the database."""
    return [
        ("GET", "/api/users/me", None),
        ("PATCH", "/api/users/me", {"name": "Countess"}),
        ("POST", "/api/auth/login", account.credentials),
        ("POST", "/api/auth/register", account.credentials | {"email": "new@example.com"}),
        ("POST", "/api/auth/refresh", {"refreshToken": account.refresh_token}),
        ("POST", "/api/auth/logout", {"refreshToken": account.refresh_token}),
        ("POST", "/api/auth/forgot-password", {"email": account.email}),
        ("POST", "/api/auth/reset-password", {"token": "x", "newPassword": "Correct-Horse-8"}),
        (
            "POST",
            "/api/users/me/change-password",
            {"currentPassword": account.password, "newPassword": "Correct-Horse-8"},
        ),
        ("GET", "/api/users", None),
    ]


async def is_refused(
    client: httpx.AsyncClient, account: Account, method: str, path: str, body: object
) -> bool:
    """While the outage lasts: without a deadline there would be no answer at all."""
    response = await client.request(method, path, json=body, headers=account.headers)
    assert response.status_code == 503, (path, response.text)
    assert error_code(response) == "unavailable"
    return int(response.headers["retry-after"]) >= 1


def test_the_deadlines_that_ship_are_within_the_bound() -> None:
    """Of a request that Redis and the database both keep waiting. Slower machines run this suite,
    so each test sets its own."""
    assert DEADLINE_SECONDS + REDIS_TIMEOUT_SECONDS <= LONGEST_WAIT_SECONDS


async def wait_until_ready(client: httpx.AsyncClient) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while (await client.get("/health/ready")).status_code != 200:
        assert time.monotonic() < give_up_at, "it did not recover"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def behind_proxy(serve: Serve, database_url: str) -> AsyncIterator[tuple[Server, Proxy]]:
    async with (
        proxy_to(database_url) as proxy,
        serve(**soon("database"), database_url=proxy.url(database_url)) as server,
    ):
        yield server, proxy


@needs_postgresql
@breaks
async def test_an_outage_is_answered_in_time_and_ends_by_itself(
    serve: Serve, database_url: str, broken: Break
) -> None:
    async with behind_proxy(serve, database_url) as (server, proxy), server.client() as client:
        account = await register(client)
        await broken(proxy)
        refused = await asyncio.gather(
            *(is_refused(client, account, *request) for request in everything(account))
        )
        assert all(refused)
        assert (await client.get("/health")).status_code == 200
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["error"]["details"] == [{"field": "database", "message": "down"}]

        await proxy.restore()
        await wait_until_ready(client)

        # Nothing that was refused has happened, and nobody was signed out.
        assert await is_signed_in(client, account)
        assert await is_signed_in(client, await refresh(client, account))
        assert (await client.get("/api/users/me", headers=account.headers)).json()["name"] == (
            "Ada Lovelace"
        )
        await sign_in(client)
        await register(client, "new@example.com")


@needs_postgresql
@breaks
async def test_a_refresh_that_an_outage_interrupted_can_be_repeated(
    serve: Serve, database_url: str, broken: Break
) -> None:
    """A statement on its way when the server froze is carried out when it wakes: by then the
    client has its 503, and a token that was rotated unseen would sign it out."""
    async with behind_proxy(serve, database_url) as (server, proxy), server.client() as client:
        account = await register(client)
        await refresh(client, await sign_in(client))  # has prepared the statement
        await broken(proxy)
        request = ("POST", "/api/auth/refresh", {"refreshToken": account.refresh_token})
        assert await is_refused(client, account, *request)
        await proxy.restore()
        await wait_until_ready(client)

        assert await is_signed_in(client, await refresh(client, account))


@needs_postgresql
async def test_a_client_that_keeps_trying_through_outages_loses_nothing(
    serve: Serve, database_url: str, database: Tables
) -> None:
    async with behind_proxy(serve, database_url) as (server, proxy), server.client() as client:
        account = await register(client)
        stop = asyncio.Event()
        registered: list[str] = []
        statuses: list[int] = []
        reading = asyncio.create_task(keep_reading(client, account, statuses, stop))
        registering = asyncio.create_task(keep_registering(client, registered, stop))
        for broken in (cut, freeze, cut):
            await until_read(statuses, 200, reading)
            await broken(proxy)
            await until_read(statuses, 503, reading)
            await proxy.restore()
            await wait_until_ready(client)
        stop.set()
        await asyncio.gather(reading, registering)

        stored = {row.email for row in await database.users()}
        assert registered
        assert set(registered) <= stored
        assert await is_signed_in(client, await refresh(client, account))


async def keep_reading(
    client: httpx.AsyncClient, account: Account, statuses: list[int], stop: asyncio.Event
) -> None:
    while not stop.is_set():
        response = await client.get("/api/users/me", headers=account.headers)
        assert response.status_code in {200, 503}, response.text
        statuses.append(response.status_code)
        await asyncio.sleep(0.01)


async def until_read(statuses: list[int], status: int, reading: asyncio.Task[None]) -> None:
    """Until the newest answer is this one; what was answered before does not count."""
    statuses.clear()
    while statuses[-1:] != [status]:
        if reading.done():
            await reading  # raises what ended it
        await asyncio.sleep(0.01)


async def keep_registering(
    client: httpx.AsyncClient, registered: list[str], stop: asyncio.Event
) -> None:
    """Register one after another, each until the answer is not 503."""
    while not stop.is_set():
        email, password = f"{secrets.token_hex(8)}@example.com", "Correct-Horse-7"
        status = 503
        while status == 503 and not stop.is_set():
            body = {"email": email, "password": password}
            response = await client.post("/api/auth/register", json=body)
            status = response.status_code
            # 409: it was stored, and only the answer was lost.
            assert status in {201, 409, 503}, response.text
        if status == 201:
            registered.append(email)


@needs_postgresql
async def test_connections_that_died_in_the_pool_cost_nobody_an_error(
    serve: Serve, database_url: str
) -> None:
    """As after a restart of PostgreSQL while nobody asked."""
    async with behind_proxy(serve, database_url) as (server, proxy), server.client() as client:
        account = await register(client)
        for _ in range(3):
            # Fill the pool.
            await asyncio.gather(*(is_signed_in(client, account) for _ in range(20)))
            await proxy.cut()
            await proxy.restore()

            account = await refresh(client, account)
            assert await is_signed_in(client, account)


@needs_postgresql
async def test_a_full_pool_is_an_outage(serve: Serve, database_url: str) -> None:
    async with serve(**soon("database")) as server, server.client() as client:
        account = await register(client)
        locker = await asyncpg.connect(driver_url(database_url))
        transaction = locker.transaction()
        await transaction.start()
        await locker.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")

        request = ("GET", "/api/users/me", None)
        refused = await asyncio.gather(*(is_refused(client, account, *request) for _ in range(30)))
        await transaction.rollback()
        await locker.close()

        assert all(refused)
        await wait_until_ready(client)
        assert await is_signed_in(client, account)


@asynccontextmanager
async def modest_role(database_url: str) -> AsyncIterator[str]:
    """The URL of the database for a role that owns nothing, and may connect just twice."""
    role, password = f"role_{secrets.token_hex(6)}", secrets.token_hex(16)
    owner = await asyncpg.connect(driver_url(database_url))
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}' CONNECTION LIMIT 2")
    await owner.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    )
    parts = urlsplit(database_url)
    host = parts.netloc.rpartition("@")[2]
    try:
        yield parts._replace(netloc=f"{role}:{password}@{host}").geturl()
    finally:
        await owner.execute(f"DROP OWNED BY {role}")
        await owner.execute(f"DROP ROLE {role}")
        await owner.close()


@asynccontextmanager
async def all_connections_of(url: str) -> AsyncIterator[list[Any]]:
    hogs = [await asyncpg.connect(driver_url(url)) for _ in range(2)]
    try:
        yield hogs
    finally:
        for hog in hogs:
            await hog.close()


@needs_postgresql
@directly
async def test_too_many_connections_are_an_outage(serve: Serve, database_url: str) -> None:
    async with (
        modest_role(database_url) as url,
        all_connections_of(url) as hogs,
        serve(database_url=url) as server,  # which starts all the same
        server.client() as client,
    ):
        body = {"email": "ada@example.com", "password": "Correct-Horse-7"}
        refused = await client.post("/api/auth/login", json=body)
        assert (refused.status_code, error_code(refused)) == (503, "unavailable")
        for hog in hogs:
            await hog.close()

        await wait_until_ready(client)
        account = await register(client)  # as a role that is no superuser, too
        assert await is_signed_in(client, account)


async def test_a_locked_sqlite_file_stops_writers_only(
    start: Callable[..., Awaitable[FastAPI]], sqlite_file: Path
) -> None:
    app = await start(database_url=f"sqlite:///{sqlite_file}")
    async with connect(app) as client:
        account = await register(client)
        await services_of(app).database.execute(update(User).values(role=Role.ADMIN))
        reads = (
            *("/api/users/me", "/api/users"),
            *(f"/api/users/{account.id}", "/health/ready"),
        )
        writes = {"/api/auth/register", "/api/auth/refresh", "/api/auth/logout"}
        requests = [request for request in everything(account) if request[1] in writes]

        with closing(sqlite3.connect(sqlite_file, isolation_level=None)) as other_process:
            other_process.execute("BEGIN IMMEDIATE")
            for path in reads:
                response = await client.get(path, headers=account.headers)
                assert response.status_code == 200, path
            with deadlines(database=1.0):
                refused = await asyncio.gather(
                    *(is_refused(client, account, *request) for request in requests)
                )
        assert all(refused)

        assert await is_signed_in(client, await refresh(client, account))
        await register(client, "new@example.com")


@pytest.fixture
async def sqlite_file(tmp_path: Path) -> Path:
    file = tmp_path / "locked.db"
    await asyncio.to_thread(migrate, f"sqlite:///{file}")
    return file


@needs_redis
@breaks
async def test_limits_survive_redis(serve: Serve, broken: Break) -> None:
    async with (
        proxy_to(TEST_REDIS_URL) as proxy,
        serve(
            **soon("redis"),
            redis_url=proxy.url(TEST_REDIS_URL),
            rate_limit_auth="3/hour",
        ) as server,
        server.client() as client,
    ):
        assert await login_statuses(client, 2) == [401, 401]  # counted in Redis
        await broken(proxy)

        # In memory, from where Redis was: losing it gives nobody new tries.
        assert await login_statuses(client, 3) == [401, 429, 429]
        assert (await client.get("/health")).status_code == 200
        ready = await client.get("/health/ready")
        assert ready.json()["error"]["details"] == [{"field": "limits", "message": "down"}]

        await proxy.restore()
        await wait_until_ready(client)
        await wait_until_counted_in_redis(server, client)


async def login_statuses(client: httpx.AsyncClient, times: int) -> list[int]:
    body = {"email": "nobody@example.com", "password": "Wrong-Horse-7"}
    return [(await client.post("/api/auth/login", json=body)).status_code for _ in range(times)]


async def wait_until_counted_in_redis(server: Server, client: httpx.AsyncClient) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while "rate_limit.redis_back" not in server.log:
        assert time.monotonic() < give_up_at, "it did not come back"
        await client.get("/api/users/me", headers=bearer("x"))
        await asyncio.sleep(0.05)


async def until_logged(server: Server, event: str, times: int) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while server.log.count(event) < times:
        assert time.monotonic() < give_up_at, event
        await asyncio.sleep(0.05)


@needs_redis
async def test_losing_redis_under_load_fails_no_request(serve: Serve) -> None:
    async with (
        proxy_to(TEST_REDIS_URL) as proxy,
        serve(**soon("redis"), redis_url=proxy.url(TEST_REDIS_URL)) as server,
        server.client() as client,
    ):
        account = await register(client)
        stop = asyncio.Event()
        work = asyncio.gather(*(keep_reading_without_fail(client, account, stop) for _ in range(4)))
        for times, broken in enumerate((freeze, cut), 1):
            await broken(proxy)
            await until_logged(server, "rate_limit.redis_away", times)
            await proxy.restore()
            await until_logged(server, "rate_limit.redis_back", times)
        stop.set()
        assert all(await work)


async def keep_reading_without_fail(
    client: httpx.AsyncClient, account: Account, stop: asyncio.Event
) -> int:
    times = 0
    while not stop.is_set():
        assert await is_signed_in(client, account)
        times += 1
    return times
