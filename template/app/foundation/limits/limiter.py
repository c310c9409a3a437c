"""Counting against limits, and refusing what is over them."""

import math
import time
from typing import TYPE_CHECKING

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


def new_limit(name: str, rate: str) -> Limit:
    """Make a limit: `rate` in the notation of the limits library.

    Raises:
        ValueError: the rate can't be read.
    """
    return Limit(
        limit=parse(check_rate(rate)),
        key_func=str,
        scope=name,
        per_method=False,
        methods=None,
        error_message=None,
        exempt_when=None,
        cost=1,
        override_defaults=True,
    )


class RateLimiter:
    """Counts in fixed windows that open with their first request."""

    def __init__(self, settings: Settings) -> None:
        self.enabled = settings.rate_limit_enabled
        self._storage = _open_storage(settings)
        self._windows = FixedWindowRateLimiter(self._storage)

    async def count(self, limit: Limit, key: str) -> None:
        """Count one more.

        Raises:
            TooManyRequests: it is one more than the limit.
        """
        if self.enabled and not await self._windows.hit(limit.limit, limit.scope, key):
            raise await self._exceeded(limit, key)

    async def refuse_if_used_up(self, limit: Limit, key: str) -> None:
        """Count nothing; refuse when the limit is used up.

        Raises:
            TooManyRequests: it is.
        """
        if self.enabled and not await self._windows.test(limit.limit, limit.scope, key):
            raise await self._exceeded(limit, key)

    async def forget(self, limit: Limit, key: str) -> None:
        """Forget what was counted."""
        if self.enabled:
            await self._windows.clear(limit.limit, limit.scope, key)

    async def _exceeded(self, limit: Limit, key: str) -> TooManyRequests:
        stats = await self._windows.get_window_stats(limit.limit, limit.scope, key)
        retry_after = max(1, math.ceil(stats.reset_time - time.time()))
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


def _open_storage(settings: Settings) -> "MemoryStorage | RedisOrMemoryStorage":
    if not settings.redis_url:
        return MemoryStorage()
    from app.foundation.limits.redis import RedisOrMemoryStorage  # noqa: PLC0415 - slow to import

    return RedisOrMemoryStorage(settings.redis_url, prefix=settings.app_name)
