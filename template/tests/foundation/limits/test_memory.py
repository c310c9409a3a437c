"""Counters in memory: windows that open, end whole, and are forgotten."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from app.foundation.limits import memory
from app.foundation.limits.memory import MemoryStorage
from tests.helpers import connect


async def test_a_window_opens_with_its_first_request_and_ends_whole() -> None:
    storage = MemoryStorage()
    assert await storage.get("key") == 0

    assert [await storage.incr("key", 60) for _ in range(3)] == [1, 2, 3]

    assert await storage.get("key") == 3
    assert 59 < await storage.get_expiry("key") - time.time() <= 60
    assert await storage.check()
    await storage.clear("key")
    assert await storage.get("key") == 0
    await storage.incr("key", 60)
    await storage.reset()
    assert await storage.get("key") == 0


async def test_memory_forgets_the_windows_that_ended() -> None:
    """A few at each request, whichever is asked for."""
    now = 0.0
    storage = MemoryStorage(lambda: now)
    for number in range(100):
        await storage.incr(f"old {number}", 60)
    now = 61.0
    assert await storage.get("old 7") == 0

    for _ in range(100):
        await storage.incr("new", 60)

    assert storage._windows.keys() == {"new"}


async def test_memory_holds_no_more_than_so_many_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attacker chooses the keys. What was counted most often is forgotten last."""
    monkeypatch.setattr(memory, "MAX_KEYS", 100)
    storage = MemoryStorage()
    for _ in range(5):
        await storage.incr("guessed at", 3600)

    for number in range(10_000):
        await storage.incr(f"address {number}", 900)

    assert len(storage._windows) == 100
    assert await storage.get("guessed at") == 5


async def test_what_is_taken_back_is_not_less_than_nothing() -> None:
    storage = MemoryStorage()
    await storage.take_back("key")
    await storage.reserve("key", 60)
    for _ in range(3):
        await storage.take_back("key")

    assert await storage.incr("key", 60) == 1


@pytest.mark.parametrize("change", [-86_400, 86_400], ids=["set back", "set forward"])
async def test_a_clock_that_is_set_moves_no_window(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, change: int
) -> None:
    """By an operator, or by NTP: nobody is locked out for a day, and nobody let in."""
    client = connect(await start(rate_limit_general="1/hour"))
    await client.get("/nowhere")
    wall = time.time

    monkeypatch.setattr(time, "time", lambda: wall() + change)
    refused = await client.get("/nowhere")

    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
