"""Counting against limits, and refusing what is over them."""

import math
import time
from typing import Final

import structlog
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from slowapi.errors import RateLimitExceeded
from slowapi.wrappers import Limit, LimitGroup

from app.config import Settings
from app.errors import AppError, ErrorCode
from app.foundation.limits.memory import MemoryStorage
from app.foundation.limits.redis import RedisOrMemoryStorage
from app.security_events import SecurityEvent

GENERAL: Final = "general"
"""Everything else: counted by verified user, without one by address."""

ACCOUNT: Final = "account"
"""Wrong passwords for one account, from wherever they come."""

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
