"""Counters in memory."""

import time
from collections.abc import Callable
from typing import Final

from limits.aio.storage import Storage

MEMORY_SWEEP_SECONDS: Final = 60.0


class MemoryStorage(Storage):
    """Counters in this process, for one worker.

    The library's own starts a task that walks through all keys on every request, and measures
    windows on the clock of the wall: one that is set back locks everybody out for as long.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._windows: dict[str, tuple[int, float]] = {}
        self._swept_at = clock()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self._sweep()
        count, ends_at = self._window(key)
        self._windows[key] = (count + amount, ends_at if count else self._clock() + expiry)
        return count + amount

    def remember(self, key: str, count: int, expiry: int) -> None:
        """Take over what is counted elsewhere, if it is more."""
        self._sweep()
        known, ends_at = self._window(key)
        if count > known:
            self._windows[key] = (count, ends_at if known else self._clock() + expiry)

    async def get(self, key: str) -> int:
        return self._window(key)[0]

    async def get_expiry(self, key: str) -> float:
        """When the window ends, on the clock of the wall, as the library wants it."""
        return time.time() + self._window(key)[1] - self._clock()

    async def check(self) -> bool:
        return True

    async def problem(self) -> None:
        return None

    async def reset(self) -> int | None:
        self._windows.clear()
        return None

    async def close(self) -> None:
        self._windows.clear()

    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _window(self, key: str) -> tuple[int, float]:
        now = self._clock()
        count, ends_at = self._windows.get(key, (0, now))
        return (count, ends_at) if ends_at > now else (0, now)

    def _sweep(self) -> None:
        now = self._clock()
        if now - self._swept_at > MEMORY_SWEEP_SECONDS:
            self._swept_at = now
            self._windows = {key: w for key, w in self._windows.items() if w[1] > now}
