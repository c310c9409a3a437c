"""Counters in Redis, which all workers and hosts share."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog
from limits.aio.storage import Storage
from redis.exceptions import RedisError

from app.foundation.limits.memory import MemoryStorage
from app.foundation.limits.redis_problems import FAILURES, Problem, problem_of
from app.foundation.limits.redis_store import OurStorage, close_store, open_store

REDIS_TIMEOUT_SECONDS: Final = 0.2
REDIS_RETRY_SECONDS: Final = 1.0
REDIS_CONNECTIONS: Final = 8
"""A worker. If each request of a storm opened its own, the storm would look like an outage."""

REMIND_SECONDS: Final = 60.0

PROBE_SECONDS: Final = 10

PROBES: Final = ("probe{460}", "probe{430}")
"""Test counters. In a cluster the first and the last node have one each, so a single node of it
does not have both."""

T = TypeVar("T")

Store = MemoryStorage | OurStorage

logger = structlog.get_logger()


class RedisOrMemoryStorage(Storage):
    """Counters in Redis, shared by all workers and hosts; in memory while Redis is away.

    Losing Redis must neither stop the API nor lift the limits: every `REDIS_RETRY_SECONDS` one
    request waits `REDIS_TIMEOUT_SECONDS` for it. The others are counted here, starting from the
    last counts of Redis. If Redis comes back empty, it gets the counts.
    """

    STORAGE_SCHEME = None

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__()
        self._memory = MemoryStorage()
        self._redis = open_store(url, f"{prefix}:limits")
        self._gate = asyncio.Semaphore(REDIS_CONNECTIONS)
        self._away_until = 0.0
        self._warned_at = -REMIND_SECONDS

    @property
    def base_exceptions(self) -> type[Exception]:
        return RedisError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return await self._ask(lambda storage: self._count(storage, key, expiry, amount))

    async def reserve(self, key: str, expiry: int) -> int:
        """Count one that may be taken back."""
        return await self._ask(lambda storage: self._count(storage, key, expiry, 1, lower=False))

    async def take_back(self, key: str) -> None:
        """Count one less, if any is counted."""

        async def here_and_there(storage: Store) -> None:
            await self._memory.take_back(key)
            if not isinstance(storage, MemoryStorage):
                await storage.take_back(key)

        await self._ask(here_and_there)

    async def _count(
        self, storage: Store, key: str, expiry: int, amount: int, *, lower: bool = True
    ) -> int:
        """Count in the memory as well. If Redis has lost counts since then, it gets them."""
        if isinstance(storage, MemoryStorage):
            return await storage.incr(key, expiry, amount)
        known, asked_at = self._memory.known(key), time.monotonic()
        count, left = await storage.count(key, expiry, amount, known, lower=lower)
        # An answer may overtake another. The end is not put later than in Redis, or a window that
        # has ended there would be thought lost.
        most = max(count, self._memory.known(key)[0]) if lower else count
        self._memory.remember(key, most, left - (time.monotonic() - asked_at))
        return count

    async def get(self, key: str) -> int:
        return await self._ask(lambda storage: storage.get(key))

    async def get_expiry(self, key: str) -> float:
        return await self._ask(lambda storage: storage.get_expiry(key))

    async def check(self) -> bool:
        return await self.problem() is None

    async def problem(self) -> Problem | None:
        """Why Redis does not count, if it does not.

        It is asked to: a replica, a full server, or one that does not let us, answers PING.
        """
        try:
            async with _in_time():
                for probe in PROBES:
                    await self._redis.incr(probe, PROBE_SECONDS)
                await self._redis.get(probe)
                await self._redis.get_expiry(probe)
                await self._redis.clear(probe)
        except FAILURES as error:
            self._warn(error)
            return problem_of(error)
        return None

    async def reset(self) -> int | None:
        await self._memory.reset()
        return await self._ask(lambda storage: storage.reset())

    async def clear(self, key: str) -> None:
        await self._memory.clear(key)
        await self._ask(lambda storage: storage.clear(key))

    async def close(self) -> None:
        await close_store(self._redis)

    async def _ask(self, question: Callable[[Store], Awaitable[T]]) -> T:
        async with self._gate:
            return await self._ask_redis_or_memory(question)

    async def _ask_redis_or_memory(self, question: Callable[[Store], Awaitable[T]]) -> T:
        if time.monotonic() < self._away_until:
            return await question(self._memory)
        was_away, self._away_until = self._away_until, 0.0
        if was_away:  # only this request tries; the next ones stay with the memory meanwhile
            self._away_until = time.monotonic() + REDIS_RETRY_SECONDS
        try:
            async with _in_time():
                answer = await question(self._redis)
        except FAILURES as error:
            self._warn(error)
            self._away_until = time.monotonic() + REDIS_RETRY_SECONDS
            return await question(self._memory)
        if was_away:
            logger.info("rate_limit.redis_back")
            self._away_until = 0.0
            self._warned_at = -REMIND_SECONDS
        return answer

    def _warn(self, error: Exception) -> None:
        """Once a minute for as long as it lasts."""
        now = time.monotonic()
        if now - self._warned_at >= REMIND_SECONDS:
            self._warned_at = now
            logger.warning(
                "rate_limit.redis_away", reason=problem_of(error).reason, error=type(error).__name__
            )


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Raise TimeoutError when Redis takes longer than `REDIS_TIMEOUT_SECONDS`.

    A pause of this process itself, such as a garbage collection, is added once: it is no outage of
    Redis, and would let more requests pass than the limit says.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + REDIS_TIMEOUT_SECONDS

    def expire() -> None:
        late = loop.time() - due
        timeout.reschedule(loop.time() + min(late, REDIS_TIMEOUT_SECONDS))

    async with asyncio.timeout(None) as timeout:
        timer = loop.call_at(due, expire)
        try:
            yield
        finally:
            timer.cancel()
