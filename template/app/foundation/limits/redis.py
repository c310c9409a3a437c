"""Counters in Redis, which all workers and hosts share."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog
from limits.aio.storage import RedisStorage, Storage
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from app.foundation.limits.memory import MemoryStorage

REDIS_TIMEOUT_SECONDS: Final = 0.2
REDIS_RETRY_SECONDS: Final = 1.0
REDIS_CONNECTIONS: Final = 8
"""A worker. If each request of a storm opened its own, the storm would look like an outage."""

T = TypeVar("T")

logger = structlog.get_logger()


class MillisecondRedisStorage(RedisStorage):
    """The library's, except that it asks for the end of a window in milliseconds.

    Redis rounds seconds, and who came back half a second early would have to wait again.
    """

    async def get_expiry(self, key: str) -> float:
        bridge = self.bridge
        left: int = await bridge.get_connection().pttl(bridge.prefixed_key(key))  # type: ignore[attr-defined]
        return time.time() + max(left, 0) / 1000


class RedisOrMemoryStorage(Storage):
    """Counters in Redis, shared by all workers and hosts; in memory while Redis is away.

    Losing Redis must neither stop the API nor lift the limits: one request waits
    `REDIS_TIMEOUT_SECONDS` for it every `REDIS_RETRY_SECONDS`, the others are counted here, on
    from what Redis said last.
    """

    STORAGE_SCHEME = None

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__()
        self._memory = MemoryStorage()
        # Redis reads its own URLs: the library refuses one without a port.
        pool: ConnectionPool = ConnectionPool.from_url(
            url,
            # Only should `_in_time` fail: the client's own clock goes on while this process rests.
            socket_timeout=REDIS_RETRY_SECONDS,
            socket_connect_timeout=REDIS_RETRY_SECONDS,
        )
        self._redis = MillisecondRedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=f"{prefix}:limits",
            connection_pool=pool,  # type: ignore[arg-type]
        )
        self._gate = asyncio.Semaphore(REDIS_CONNECTIONS)
        self._away_until = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        return RedisError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count = await self._ask(lambda storage: storage.incr(key, expiry, amount))
        self._memory.remember(key, count, expiry)
        return count

    async def get(self, key: str) -> int:
        return await self._ask(lambda storage: storage.get(key))

    async def get_expiry(self, key: str) -> float:
        return await self._ask(lambda storage: storage.get_expiry(key))

    async def check(self) -> bool:
        try:
            async with _in_time():
                return await self._redis.check()
        except (RedisError, OSError, TimeoutError):
            return False

    async def reset(self) -> int | None:
        return await self._ask(lambda storage: storage.reset())

    async def clear(self, key: str) -> None:
        await self._memory.clear(key)
        await self._ask(lambda storage: storage.clear(key))

    async def close(self) -> None:
        connection = self._redis.bridge.get_connection()  # type: ignore[attr-defined]
        await connection.aclose(close_connection_pool=True)

    async def _ask(self, question: Callable[[Storage], Awaitable[T]]) -> T:
        async with self._gate:
            return await self._ask_redis_or_memory(question)

    async def _ask_redis_or_memory(self, question: Callable[[Storage], Awaitable[T]]) -> T:
        if time.monotonic() < self._away_until:
            return await question(self._memory)
        was_away, self._away_until = self._away_until, 0.0
        if was_away:  # only this request tries; the next ones stay with the memory meanwhile
            self._away_until = time.monotonic() + REDIS_RETRY_SECONDS
        try:
            async with _in_time():
                answer = await question(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            if not was_away:
                logger.error("rate_limit.redis_away", reason=type(error).__name__)
            self._away_until = time.monotonic() + REDIS_RETRY_SECONDS
            return await question(self._memory)
        if was_away:
            logger.info("rate_limit.redis_back")
            self._away_until = 0.0
        return answer


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Raise TimeoutError when Redis takes longer than `REDIS_TIMEOUT_SECONDS`.

    What this process itself stood still, collecting garbage say, is given back once: its own pause
    is no outage of Redis, and would let more requests pass than the limit says.
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
