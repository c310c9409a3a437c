"""Whatever one account or one address asks for, the others get theirs; and a try is one try."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import bcrypt
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, update

from app.accounts.models import User
from app.foundation.limits import IN_LINE, RateLimiter, limiter
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Tables,
    connect,
    error_code,
    register,
    sign_in,
)

LOGIN = "/api/auth/login"
CHANGE = "/api/users/me/change-password"


class Threads:
    """How many hashes were under way at once; of an application that starts now, up to eight."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self._real = bcrypt.checkpw
        monkeypatch.setattr(bcrypt, "checkpw", self._work)
        monkeypatch.setattr("app.accounts.passwords.os.cpu_count", lambda: 8)

    def _work(self, password: bytes, stored: bytes) -> bool:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.01)  # long enough for another to come
        with self._lock:
            self._now -= 1
        return self._real(password, stored)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    return Threads(monkeypatch)


def refusals(responses: list[httpx.Response]) -> list[tuple[str, str]]:
    return [
        (error_code(response), response.headers["retry-after"])
        for response in responses
        if response.status_code == 429
    ]


async def test_of_forty_changes_of_one_password_one_is_hashed(
    client: httpx.AsyncClient, ada: Account, threads: Threads
) -> None:
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}

    responses = await asyncio.gather(
        *[client.post(CHANGE, json=body, headers=ada.headers) for _ in range(40)]
    )

    assert [response.status_code for response in responses].count(200) == 1
    assert refusals(responses) == [("rate_limited", "1")] * 39
    assert threads.most == 1


async def test_one_account_is_tried_once_at_a_time_from_wherever(
    app: FastAPI, ada: Account, threads: Threads
) -> None:
    clients = [connect(app, f"203.0.113.{number}") for number in range(IN_LINE + 5)]

    responses = await asyncio.gather(
        *[client.post(LOGIN, json=ada.credentials) for client in clients]
    )

    assert [response.status_code for response in responses].count(200) == IN_LINE + 2
    assert refusals(responses) == [("rate_limited", "1")] * 3
    assert threads.most == 1


async def test_an_address_has_two_hashes_at_once_and_a_line(
    threads: Threads, start: Callable[..., Any]
) -> None:
    """All addresses of an IPv6 customer are one. An office that signs in at nine is served."""
    app = await start()
    bodies = [{"email": f"user{n}@example.com", "password": PASSWORD} for n in range(30)]
    office = [connect(app, f"2001:db8::{number:x}") for number in range(30)]

    responses = await asyncio.gather(
        *[client.post(LOGIN, json=body) for client, body in zip(office, bodies, strict=True)]
    )

    assert [response.status_code for response in responses].count(401) == 2 + IN_LINE
    assert refusals(responses) == [("rate_limited", "1")] * (28 - IN_LINE)
    assert threads.most == 2
    assert (await office[0].post(LOGIN, json=bodies[0])).status_code == 401  # the line is empty


async def test_who_is_sent_off_from_the_line_has_lost_no_try(
    start: Callable[..., Any], threads: Threads
) -> None:
    app = await start(rate_limit_auth=f"{IN_LINE + 3}/hour")
    body = {"email": "nobody@example.com", "password": PASSWORD}
    client = connect(app)

    crowd = await asyncio.gather(*[client.post(LOGIN, json=body) for _ in range(IN_LINE + 12)])

    assert refusals(crowd) == [("rate_limited", "1")] * 10
    assert (await client.post(LOGIN, json=body)).status_code == 401  # the last of the limit
    assert (await client.post(LOGIN, json=body)).status_code == 429


async def test_who_sends_slowly_keeps_nobody_of_the_office_waiting(
    app: FastAPI, ada: Account
) -> None:
    ever = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield b'{"email": '
        await ever.wait()
        yield b'"x"}'

    def send() -> Any:
        headers = {"Content-Type": "application/json"}
        return connect(app).post(LOGIN, content=half(), headers=headers)

    slow = [asyncio.create_task(send()) for _ in range(IN_LINE + 5)]
    await asyncio.sleep(0)

    assert await sign_in(connect(app))
    ever.set()
    await asyncio.gather(*slow)


async def test_without_limits_nobody_stands_in_line(start: Callable[..., Any]) -> None:
    app = await start(rate_limit_enabled=False)
    ada = await register(connect(app))

    logins = [connect(app).post(LOGIN, json=ada.credentials) for _ in range(30)]

    assert {response.status_code for response in await asyncio.gather(*logins)} == {200}


@pytest.fixture(autouse=True)
def _refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "REFUSED_AFTER_SECONDS", 0)


@pytest.fixture
def several_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker has a line of its own: tries of one account meet on several."""

    @asynccontextmanager
    async def no_line(*_: object) -> AsyncIterator[asyncio.Semaphore]:
        yield asyncio.Semaphore()

    monkeypatch.setattr(RateLimiter, "line", no_line)


@pytest.mark.usefixtures("several_workers", "threads")
async def test_parallel_tries_are_no_more_than_the_limit(start: Callable[..., Any]) -> None:
    """Fourteen wrong ones and the right one at once: it is one of fifteen, and the third is 429."""
    app = await start(rate_limit_account="3/hour")
    await register(connect(app, "198.51.100.7"))
    passwords = [OTHER_PASSWORD] * 14 + [PASSWORD]

    responses = await asyncio.gather(
        *[
            connect(app, f"203.0.113.{number}").post(
                LOGIN, json={"email": "ada@example.com", "password": password}
            )
            for number, password in enumerate(passwords)
        ]
    )

    assert sorted(response.status_code for response in responses) == [401] * 2 + [429] * 13


async def test_a_limit_hands_out_no_more_reservations_than_it_has(app: FastAPI) -> None:
    services = app.state.services
    counting, limit = services.limiter, services.account_limit

    async def reserve() -> object:
        return await counting.reserve(limit, "key")

    tries = await asyncio.gather(*[reserve() for _ in range(60)], return_exceptions=True)
    kept = [one for one in tries if not isinstance(one, Exception)]
    assert len(kept) == 50

    for one in kept:
        async with one:  # type: ignore[attr-defined]
            pass
    assert (await counting.reserve(limit, "key")).number == 1


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each call of bcrypt cost: two to the power of its cost."""
    done: list[int] = []
    for name in ("checkpw", "hashpw"):
        monkeypatch.setattr(bcrypt, name, partial(_spend, getattr(bcrypt, name), done))
    return done


def _spend(real: Callable[..., Any], done: list[int], password: bytes, salt: bytes) -> Any:
    result = real(password, salt)
    done.append(2 ** int(salt[4:6]))  # afterwards: what bcrypt refuses costs nothing
    return result


async def test_a_refusal_costs_the_same_whatever_is_stored(
    start: Callable[..., Any], database: Tables, work: list[int]
) -> None:
    """BCRYPT_COST was raised since, or the users came from elsewhere."""
    client = connect(await start(bcrypt_cost=7))
    costs = {}
    for name, stored in {
        "cheap": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
        "today": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(7)).decode(),
        "no hash": "!",
        "a broken one": "$2b$07$" + "z" * 53,
        "nobody": "",
    }.items():
        await database.execute(update(User).values(email="someone@example.com"))
        if name != "nobody":
            await register(client, f"{name.split(' ')[-1]}@example.com")
            await database.execute(
                update(User)
                .values(password_hash=stored, email="ada@example.com")
                .where(User.email == f"{name.split(' ')[-1]}@example.com")
            )
        for active in (True, False):
            await database.execute(update(User).values(is_active=active))
            work.clear()
            password = PASSWORD if not active else OTHER_PASSWORD
            body = {"email": "ada@example.com", "password": password}
            assert (await client.post(LOGIN, json=body)).status_code == 401
            costs[name, active] = sum(work)
        await database.execute(delete(User))

    assert set(costs.values()) == {2**7}, costs


async def test_a_dearer_hash_makes_every_refusal_as_dear(
    start: Callable[..., Any], database: Tables, work: list[int]
) -> None:
    """BCRYPT_COST was lowered: from the first that is met on, nobody is told by the time."""
    client = connect(await start(bcrypt_cost=4))
    await register(client)
    dear = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(6)).decode()
    await database.execute(update(User).values(password_hash=dear))

    for email in ("ada@example.com", "nobody@example.com", "ada@example.com"):
        work.clear()
        body = {"email": email, "password": OTHER_PASSWORD}
        assert (await client.post(LOGIN, json=body)).status_code == 401
        assert sum(work) == 2**6
