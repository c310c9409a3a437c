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


async def test_sessions_opened_here_work_and_end_there(serve: Serve) -> None:
    async with two_hosts(serve) as (here, there):
        phone = await register(here)
        laptop = await sign_in(there)
        assert await is_signed_in(there, phone)

        logout = {"refreshToken": phone.refresh_token}
        ended = await here.post("/api/auth/logout", json=logout, headers=phone.headers)
        assert ended.status_code == 200
        assert not await is_signed_in(there, phone)
        assert error_code(await try_refresh(there, phone.refresh_token)) == "invalid_token"
        assert await is_signed_in(here, laptop)

        everywhere = await there.post("/api/auth/logout-all", headers=laptop.headers)
        assert everywhere.status_code == 200
        assert not await is_signed_in(here, laptop)


async def test_a_refresh_token_works_once_across_hosts(serve: Serve) -> None:
    async with two_hosts(serve) as (here, there):
        account = await register(here)
        answers = await asyncio.gather(
            *(try_refresh(host, account.refresh_token) for host in (here, there) * 10)
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19

        assert await is_signed_in(there, account)  # the losers of a race revoke nothing


async def test_a_theft_noticed_here_ends_the_session_there(serve: Serve) -> None:
    async with two_hosts(serve) as (here, there):
        account = await register(here)
        successor = await refresh(there, await refresh(here, account))
        assert (await try_refresh(there, account.refresh_token)).status_code == 401

        assert not await is_signed_in(here, successor)
        assert (await try_refresh(here, successor.refresh_token)).status_code == 401


async def test_exactly_as_many_pass_as_the_limit_allows_on_all_hosts(serve: Serve) -> None:
    async with two_hosts(serve, rate_limit_auth="7/hour") as (here, there):
        wrong = {"email": "nobody@example.com", "password": "Wrong-Horse-7"}
        answers = await asyncio.gather(
            *(host.post("/api/auth/login", json=wrong) for host in (here, there) * 15)
        )
        assert sorted(answer.status_code for answer in answers) == [401] * 7 + [429] * 23
        refused = [answer for answer in answers if answer.status_code == 429]
        assert all(1 <= int(answer.headers["retry-after"]) <= 3600 for answer in refused)


async def test_wrong_passwords_add_up_across_hosts(serve: Serve) -> None:
    async with two_hosts(serve, rate_limit_account="4/hour") as (here, there):
        account = await register(here)
        wrong = {"email": account.email, "password": "Wrong-Horse-7"}
        statuses = [
            (await host.post("/api/auth/login", json=wrong)).status_code
            for host in (here, there, here, there)
        ]
        assert statuses == [401, 401, 401, 429]
