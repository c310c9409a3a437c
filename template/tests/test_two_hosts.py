"""Two servers that share nothing but PostgreSQL and Redis act as one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.helpers import (
    error_code,
    is_signed_in,
    refresh,
    register,
    sign_in,
    try_refresh,
)
from tests.live import Serve
from tests.services import needs_postgresql, needs_redis

pytestmark = [needs_postgresql, needs_redis]


@asynccontextmanager
async def two_hosts(
    serve: Serve, **changes: str
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A client of each. The first has two workers, so three processes share what is shared."""
    async with (
        serve(workers=2, **changes) as first,
        serve(**changes) as second,
        first.client() as here,
        second.client() as there,
    ):
        yield here, there


async def test_sessions_are_one_on_all_hosts(serve: Serve) -> None:
    async with two_hosts(serve) as (here, there):
        await what_is_opened_here_ends_there(here, there)
        await a_refresh_token_works_once(here, there)
        await a_theft_noticed_there_ends_the_session_here(here, there)


async def what_is_opened_here_ends_there(here: httpx.AsyncClient, there: httpx.AsyncClient) -> None:
    phone = await register(here)
    laptop = await sign_in(there)
    assert await is_signed_in(there, phone)

    logout = {"refreshToken": phone.refresh_token}
    ended = await here.post("/api/auth/logout", json=logout, headers=phone.headers)
    assert ended.status_code == 200
    assert not await is_signed_in(there, phone)
    assert error_code(await try_refresh(there, phone.refresh_token)) == "invalid_token"
    assert await is_signed_in(here, laptop)

    logout = {"refreshToken": laptop.refresh_token}
    ended = await there.post("/api/auth/logout", json=logout, headers=laptop.headers)
    assert ended.status_code == 200
    assert not await is_signed_in(here, laptop)


async def a_refresh_token_works_once(here: httpx.AsyncClient, there: httpx.AsyncClient) -> None:
    account = await sign_in(here)
    answers = await asyncio.gather(
        *(try_refresh(host, account.refresh_token) for host in (here, there) * 10)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    assert await is_signed_in(there, account)  # the losers of a race revoke nothing


async def a_theft_noticed_there_ends_the_session_here(
    here: httpx.AsyncClient, there: httpx.AsyncClient
) -> None:
    account = await sign_in(here)
    successor = await refresh(there, await refresh(here, account))
    assert (await try_refresh(there, account.refresh_token)).status_code == 401

    assert not await is_signed_in(here, successor)
    assert (await try_refresh(here, successor.refresh_token)).status_code == 401


async def test_limits_are_one_on_all_hosts(serve: Serve) -> None:
    limits = {"rate_limit_auth": "10/hour", "rate_limit_account": "4/hour"}
    async with two_hosts(serve, **limits) as (here, there):
        account = await register(here)
        wrong = {"email": account.email, "password": "Wrong-Horse-7"}
        statuses = [
            (await host.post("/api/auth/login", json=wrong)).status_code
            for host in (here, there, here, there)
        ]
        assert statuses == [401, 401, 401, 429]  # the account's limit

        requests = [
            host.post("/api/auth/login", json={**wrong, "email": f"nobody{n}@example.com"})
            for n, host in enumerate((here, there) * 15)
        ]
        answers = await asyncio.gather(*requests)
        # The address's limit: ten, four of which are gone.
        assert sorted(answer.status_code for answer in answers) == [401] * 6 + [429] * 24
        refused = [answer for answer in answers if answer.status_code == 429]
        assert all(1 <= int(answer.headers["retry-after"]) <= 3600 for answer in refused)
