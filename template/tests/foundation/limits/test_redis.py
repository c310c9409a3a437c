"""Counters in Redis, and without it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from fastapi import FastAPI

from app.foundation.limits.redis import RedisOrMemoryStorage
from tests.foundation.limits.test_limits import LOGIN, ask, passed
from tests.helpers import (
    connect,
    error_code,
    register,
    services_of,
)
from tests.patience import deadlines
from tests.services import TEST_REDIS_URL, needs_redis


async def test_while_redis_is_away_the_limits_hold_in_memory(
    start: Callable[..., Any], closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    app = await start(redis_url=f"redis://127.0.0.1:{closed_port}/0", rate_limit_auth="7/hour")
    client = connect(app)

    responses = await ask(client, LOGIN, 20)

    assert passed(responses) == 7
    assert {response.status_code for response in responses} == {401, 429}
    ready = await client.get("/health/ready")
    assert (ready.status_code, error_code(ready)) == (503, "unavailable")
    assert ready.json()["error"]["details"] == [{"field": "limits", "message": "down"}]
    assert "rate_limit.redis_away" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["rediss://127.0.0.1", "rediss://nobody:word@127.0.0.1/1"])
async def test_a_redis_url_may_leave_out_the_port(start: Callable[..., Any], url: str) -> None:
    client = connect(await start(redis_url=url, rate_limit_auth="1/hour"))

    with deadlines(redis=0.2):  # whoever answers there speaks no TLS
        responses = await ask(client, LOGIN, 2)
    assert sorted(response.status_code for response in responses) == [401, 429]


@needs_redis
async def test_losing_redis_does_not_open_a_new_window(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start(rate_limit_auth="7/hour")
    assert passed(await ask(connect(app), LOGIN, 5)) == 5

    storage: Any = services_of(app).limiter._storage
    monkeypatch.setattr(storage, "_away_until", time.monotonic() + 60)

    assert passed(await ask(connect(app), LOGIN, 5)) == 2


@needs_redis
async def test_all_workers_share_their_counts(start: Callable[..., Any]) -> None:
    one, two = [await start(rate_limit_auth="7/hour") for _ in range(2)]

    responses = [
        *await ask(connect(one), LOGIN, 10),
        *await ask(connect(two), LOGIN, 10),
    ]

    assert passed(responses) == 7


@needs_redis
async def test_names_in_redis_are_ours_and_name_nobody(app: FastAPI) -> None:
    client = connect(app)
    await register(client)
    await client.post(LOGIN, json={"email": "ada@example.com", "password": "Wrong-Horse-7"})

    prefix = services_of(app).settings.app_name
    with redis.Redis.from_url(TEST_REDIS_URL) as connection:
        names = [name.decode() for name in connection.scan_iter(f"{prefix}:limits*")]
        assert len(names) == 3  # register, login, account
        assert all(0 < connection.ttl(name) <= 3600 * 24 for name in names)
    assert not any("@" in name or "ada" in name for name in names)


@needs_redis
async def test_the_store_can_be_emptied(app: FastAPI) -> None:
    storage = services_of(app).limiter._storage
    await storage.incr("key", 60)
    assert 59 < await storage.get_expiry("key") - time.time() <= 60

    await storage.clear("key")
    assert await storage.get("key") == 0
    await storage.incr("key", 60)
    await storage.reset()

    assert await storage.get("key") == 0
    assert await storage.incr("key", 60) == 1, "and what the memory knows is not told to it again"
    assert await services_of(app).limiter.is_up()


@needs_redis
async def test_a_pause_of_this_process_is_no_outage_of_redis(
    values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    storage = RedisOrMemoryStorage(TEST_REDIS_URL, prefix=values["app_name"])
    await storage.incr("pause", 60)  # connects
    for steps in (6, 8, 10, 12):  # wherever it stands between question and answer
        with deadlines(redis=0.6):  # long for Redis, whatever else runs here
            counting = asyncio.ensure_future(storage.incr("pause", 60))
            for _ in range(steps):
                await asyncio.sleep(0)

            time.sleep(1.5 * 0.6)  # noqa: ASYNC251 - like a garbage collection
            await counting

    assert await storage.get("pause") == 5
    assert "redis_away" not in capsys.readouterr().out
    await storage.close()
