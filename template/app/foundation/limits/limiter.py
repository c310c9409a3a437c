"""Counting against limits, and refusing requests over them."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import structlog
from limits import parse
from limits.aio.strategies import FixedWindowRateLimiter
from slowapi.errors import RateLimitExceeded
from slowapi.wrappers import Limit

from app.config import Settings
from app.errors import AppError, ErrorCode
from app.foundation.checks.formats import check_rate
from app.foundation.limits.memory import MemoryStorage
from app.security_events import SecurityEvent

if TYPE_CHECKING:
    from app.foundation.limits.redis import RedisOrMemoryStorage
    from app.foundation.limits.redis_problems import Problem

logger = structlog.get_logger()


class TooManyRequests(AppError, RateLimitExceeded):
    """429: a limit is used up. `Retry-After` is in whole seconds, at least 1 (RFC 9110 §10.2.3)."""

    def __init__(self, limit: Limit, retry_after: int) -> None:
        super().__init__(
            429,
            ErrorCode.RATE_LIMITED,
            f"Too many requests. Try again in {retry_after} s.",
            headers={"Retry-After": str(retry_after)},
        )
        self.limit = limit


def new_limit(name: str, rate: str, times: int = 1) -> Limit:
    """Make a limit: `times` a `rate` in the notation of the limits library.

    Raises:
        ValueError: the rate can't be read.
    """
    item = parse(check_rate(rate))
    item.amount *= times
    return Limit(
        limit=item,
        key_func=str,
        scope=name,
        per_method=False,
        methods=None,
        error_message=None,
        exempt_when=None,
        cost=1,
        override_defaults=True,
    )


HASHES_OF_AN_ADDRESS: Final = new_limit("hashes of an address", "2/second")
HASHES_OF_A_USER: Final = new_limit("hashes of a user", "1/second")
"""For `line`: how many passwords are hashed at once, because all share the threads."""

USER: Final = "user:"
"""What keys of users begin with; those of addresses don't."""

IN_LINE: Final = 18
"""How many more may wait: whom a limit lets pass is served, also when all of an office sign in."""

REFUSED_AFTER_SECONDS: Final = 0.5
"""A refusal waits this long: forty connections that ask again at once would keep us busy."""


@dataclass(slots=True)
class _Line:
    gate: asyncio.Semaphore
    length: int = 0


class RateLimiter:
    """Counts in fixed windows that open with their first request."""

    def __init__(self, settings: Settings) -> None:
        self.enabled = settings.rate_limit_enabled
        self._storage = _open_storage(settings)
        self._windows = FixedWindowRateLimiter(self._storage)
        self._lines: dict[tuple[str, str], _Line] = {}

    async def count(self, limit: Limit, key: str) -> None:
        """Count one more.

        Raises:
            TooManyRequests: it is one more than the limit.
        """
        if self.enabled and not await self._windows.hit(limit.limit, limit.scope, key):
            raise await self.exceeded(limit, key)

    async def reserve(self, limit: Limit, key: str) -> "Reservation":
        """Count one before we know whether it counts: parallel tries can't all be the last.

        Raises:
            TooManyRequests: it is one more than the limit; nothing stays counted.
        """
        if not self.enabled:
            return Reservation(self, limit, key, number=0)
        name = limit.limit.key_for(limit.scope, key)
        number = await self._storage.reserve(name, limit.limit.get_expiry())
        reservation = Reservation(self, limit, key, number)
        if number > limit.limit.amount:
            await self.take_back(reservation)
            raise await self.exceeded(limit, key)
        return reservation

    async def take_back(self, reservation: "Reservation") -> None:
        """Count it no more."""
        if reservation.number:
            limit = reservation.limit
            await self._storage.take_back(limit.limit.key_for(limit.scope, reservation.key))

    @asynccontextmanager
    async def line(
        self, limit: Limit, key: str, waiting: int = 0
    ) -> AsyncIterator[asyncio.Semaphore]:
        """Stand in line where a limit lets so many through at once, in this process; gives the gate
        to pass.

        Raises:
            TooManyRequests: so many wait already. Try again in a second.
        """
        if not self.enabled:
            yield asyncio.Semaphore()
            return
        place, at_once = (limit.scope, key), limit.limit.amount
        line = self._lines.setdefault(place, _Line(asyncio.Semaphore(at_once)))
        if line.length >= at_once + waiting:
            await asyncio.sleep(REFUSED_AFTER_SECONDS)
            raise self._refusal(limit, key, 1)
        line.length += 1
        try:
            yield line.gate
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[place]

    async def forget(self, limit: Limit, key: str) -> None:
        """Forget what was counted."""
        if self.enabled:
            await self._windows.clear(limit.limit, limit.scope, key)

    async def exceeded(self, limit: Limit, key: str) -> TooManyRequests:
        """The refusal of requests while a limit is used up."""
        stats = await self._windows.get_window_stats(limit.limit, limit.scope, key)
        return self._refusal(limit, key, max(1, math.ceil(stats.reset_time - time.time())))

    def _refusal(self, limit: Limit, key: str, retry_after: int) -> TooManyRequests:
        logger.warning(
            SecurityEvent.RATE_LIMIT_EXCEEDED,
            limit=limit.scope,
            counted=key,
            retry_after=retry_after,
        )
        return TooManyRequests(limit, retry_after)

    async def reset(self) -> None:
        """Forget every count."""
        await self._storage.reset()

    async def close(self) -> None:
        await self._storage.close()

    async def is_up(self) -> bool:
        """Tell whether the configured store counts; memory always does."""
        return await self._storage.check()

    async def problem(self) -> "Problem | None":
        """Why the configured store does not count, if it does not."""
        return await self._storage.problem()


@dataclass(slots=True)
class Reservation:
    """One that is counted already. Leaving the block takes it back, unless it was spent."""

    limiter: RateLimiter
    limit: Limit
    key: str
    number: int
    """How many there were with it; 0 when it is not counted."""
    spent: bool = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.spent:
            await self.limiter.take_back(self)

    async def spend(self) -> None:
        """Let it count.

        Raises:
            TooManyRequests: it was the last that the limit allows.
        """
        self.spent = True
        if self.number >= self.limit.limit.amount:
            raise await self.limiter.exceeded(self.limit, self.key)


def _open_storage(settings: Settings) -> "MemoryStorage | RedisOrMemoryStorage":
    if not settings.redis_url:
        return MemoryStorage()
    from app.foundation.limits.redis import RedisOrMemoryStorage  # noqa: PLC0415 - slow to import

    return RedisOrMemoryStorage(settings.redis_url, prefix=settings.app_name)
