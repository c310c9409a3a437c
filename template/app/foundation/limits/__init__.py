"""Rate limits: who may ask how often.

The policy is the table `POLICY`. What it does not name counts as a general request, so no route
can be forgotten and no spelling of a path finds a way round. Requests are counted before their body
is read.

slowapi gives the declared `Limit` and `RateLimitExceeded`, which every refusal is. Its decorator
and its middleware are not used: they check after validation, skip included routes, and block the
event loop on each Redis round trip. The counting is done by limits, on which slowapi stands.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog
from limits.aio.storage import RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError
from slowapi.errors import RateLimitExceeded
from slowapi.wrappers import Limit, LimitGroup
from starlette.types import ASGIApp, Receive, Scope, Send

from app.config import Settings
from app.errors import AppError, ErrorCode, Unavailable, error_response
from app.security_events import SecurityEvent

POLICY: Final = {
    ("POST", "/api/auth/register"): "register",
    ("POST", "/api/auth/login"): "login",
    ("POST", "/api/auth/forgot-password"): "forgot-password",
    ("POST", "/api/auth/reset-password"): "reset-password",
}
"""Requests with a limit of their own, counted by address."""

HASHING: Final = frozenset({"register", "login", "reset-password"})
"""While the queue for hashing is full, these are refused before they are counted and before any
query: who obeys `Retry-After` during a flood must not be out of tries without having had one."""

UNLIMITED: Final = frozenset({"/health", "/health/ready"})

GENERAL: Final = "general"
"""Everything else: counted by verified user, without one by address."""

ACCOUNT: Final = "account"
"""Wrong passwords for one account, from wherever they come."""

REDIS_TIMEOUT_SECONDS: Final = 0.2
REDIS_RETRY_SECONDS: Final = 1.0
REDIS_CONNECTIONS: Final = 8
"""A worker. If each request of a storm opened its own, the storm would look like an outage."""

MEMORY_SWEEP_SECONDS: Final = 60.0

T = TypeVar("T")

logger = structlog.get_logger()


class TooManyRequests(RateLimitExceeded):
    """A limit is used up. `retry_after` is in whole seconds, at least 1 (RFC 9110 §10.2.3)."""

    def __init__(self, limit: Limit, retry_after: int) -> None:
        super().__init__(limit)
        self.retry_after = retry_after

    def as_app_error(self) -> AppError:
        return AppError(
            429,
            ErrorCode.RATE_LIMITED,
            f"Too many requests. Try again in {self.retry_after} s.",
            headers={"Retry-After": str(self.retry_after)},
        )


class RateLimiter:
    """Counts requests in fixed windows that open with their first request."""

    def __init__(self, settings: Settings) -> None:
        self.enabled = settings.rate_limit_enabled
        self._storage: Storage = MemoryStorage()
        if settings.redis_url:
            self._storage = RedisOrMemoryStorage(settings.redis_url, prefix=settings.app_name)
        self._windows = FixedWindowRateLimiter(self._storage)
        auth, reset = settings.rate_limit_auth, settings.rate_limit_password_reset
        self._limits = {
            "register": _limit("register", auth),
            "login": _limit("login", auth),
            "forgot-password": _limit("forgot-password", reset),
            "reset-password": _limit("reset-password", reset),
            GENERAL: _limit(GENERAL, settings.rate_limit_general),
            ACCOUNT: _limit(ACCOUNT, settings.rate_limit_account),
        }

    async def count(self, name: str, key: str) -> None:
        """Count one request.

        Raises:
            TooManyRequests: it is one more than the limit.
        """
        limit = self._limits[name]
        if self.enabled and not await self._windows.hit(limit.limit, name, key):
            raise await self._exceeded(limit, key)

    async def refuse_if_used_up(self, name: str, key: str) -> None:
        """Count nothing; refuse when the limit is used up.

        Raises:
            TooManyRequests: it is.
        """
        limit = self._limits[name]
        if self.enabled and not await self._windows.test(limit.limit, name, key):
            raise await self._exceeded(limit, key)

    async def forget(self, name: str, key: str) -> None:
        """Forget what was counted."""
        if self.enabled:
            await self._windows.clear(self._limits[name].limit, name, key)

    async def _exceeded(self, limit: Limit, key: str) -> TooManyRequests:
        stats = await self._windows.get_window_stats(limit.limit, limit.scope, key)
        retry_after = max(1, math.ceil(stats.reset_time - time.time()))
        logger.warning(
            SecurityEvent.RATE_LIMIT_EXCEEDED, limit=limit.scope, retry_after=retry_after
        )
        return TooManyRequests(limit, retry_after)

    async def reset(self) -> None:
        """Forget every count."""
        await self._storage.reset()

    async def close(self) -> None:
        if isinstance(self._storage, RedisOrMemoryStorage):
            await self._storage.close()

    async def is_up(self) -> bool:
        """Tell whether the configured store answers; memory always does."""
        return await self._storage.check()


def _limit(scope: str, rate: str) -> Limit:
    group = LimitGroup(rate, lambda: scope, scope, False, None, None, None, 1, False)
    return next(iter(group))


class RateLimitMiddleware:
    """Counts every request before anything else is done for it, if it can be served at all.

    Args:
        address_of: the client's address, as a key.
        user_of: the user whom a verified access token names, or None.
        refuse_if_full: raises `Unavailable` while no more passwords can be hashed.
    """

    def __init__(
        self,
        app: ASGIApp,
        limiter: RateLimiter,
        address_of: Callable[[Scope], str],
        user_of: Callable[[Scope], str | None],
        refuse_if_full: Callable[[], None],
    ) -> None:
        self.app = app
        self._limiter = limiter
        self._address_of = address_of
        self._user_of = user_of
        self._refuse_if_full = refuse_if_full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await self._admit(scope)
            except TooManyRequests as refusal:
                await error_response(refusal.as_app_error())(scope, receive, send)
                return
            except Unavailable as refusal:
                await error_response(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        # As the router reads it: its patterns end in `$`, which matches before a line break too.
        path = scope["path"].removeprefix(scope.get("root_path", "")).removesuffix("\n")
        if path in UNLIMITED:
            return
        name = POLICY.get((scope["method"], path), GENERAL)
        if name in HASHING:
            self._refuse_if_full()
        if self._limiter.enabled:
            user = self._user_of(scope) if name == GENERAL else None
            await self._limiter.count(name, f"user:{user}" if user else self._address_of(scope))


class MemoryStorage(Storage):
    """Counters in this process, for one worker.

    The library's own starts a task that walks through all keys on every request.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[int, float]] = {}
        self._swept_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self._sweep()
        count, ends_at = self._window(key)
        self._windows[key] = (count + amount, ends_at if count else time.time() + expiry)
        return count + amount

    def remember(self, key: str, count: int, expiry: int) -> None:
        """Take over what is counted elsewhere, if it is more."""
        self._sweep()
        known, ends_at = self._window(key)
        if count > known:
            self._windows[key] = (count, ends_at if known else time.time() + expiry)

    async def get(self, key: str) -> int:
        return self._window(key)[0]

    async def get_expiry(self, key: str) -> float:
        return self._window(key)[1]

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        self._windows.clear()
        return None

    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _window(self, key: str) -> tuple[int, float]:
        now = time.time()
        count, ends_at = self._windows.get(key, (0, now))
        return (count, ends_at) if ends_at > now else (0, now)

    def _sweep(self) -> None:
        now = time.time()
        if now - self._swept_at > MEMORY_SWEEP_SECONDS:
            self._swept_at = now
            self._windows = {key: w for key, w in self._windows.items() if w[1] > now}


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
