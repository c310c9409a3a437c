"""Counters in memory."""

import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final

from limits.aio.storage import Storage

MAX_KEYS: Final = 50_000
"""Some 20 MB. A client can choose any number of keys: IPv6 addresses, accounts that it guesses at.
If there are more, the windows with the lowest counts are forgotten first."""

SWEPT_AT_ONCE: Final = 8
"""Each request checks this many windows, in turn, for ended ones."""


class MemoryStorage(Storage):
    """Counters in this process, for one worker.

    The library's own starts a task that walks through all keys on every request, and measures
    windows on the wall clock: if that is set back, everybody is locked out for as long.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        # A plain dict would walk over what was taken from its front, again and again.
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count, left = self.known(key)
        self.remember(key, count + amount, left if count else expiry)
        return count + amount

    async def reserve(self, key: str, expiry: int) -> int:
        return await self.incr(key, expiry)

    async def take_back(self, key: str) -> None:
        """Count one less, if any is counted."""
        count, left = self.known(key)
        if count:
            self.remember(key, count - 1, left)

    def known(self, key: str) -> tuple[int, float]:
        """What is counted, and for how many more seconds."""
        count, ends_at = self._windows.get(key, (0, 0.0))
        left = ends_at - self._clock()
        return (count, left) if left > 0 else (0, 0.0)

    def remember(self, key: str, count: int, seconds: float) -> None:
        """Take over what is counted, maybe elsewhere."""
        self._windows[key] = (count, self._clock() + seconds)
        self._sweep()

    async def get(self, key: str) -> int:
        return self.known(key)[0]

    async def get_expiry(self, key: str) -> float:
        """When the window ends, on the clock of the wall, as the library wants it."""
        return time.time() + self.known(key)[1]

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

    def _sweep(self) -> None:
        """A few windows, not all: a walk through 50,000 would keep everybody waiting."""
        now = self._clock()
        looked_at = list(islice(self._windows.items(), SWEPT_AT_ONCE))
        for key, (_, ends_at) in looked_at:
            if ends_at <= now:
                del self._windows[key]
            else:
                self._windows.move_to_end(key)
        if len(self._windows) > MAX_KEYS:
            del self._windows[min(looked_at, key=lambda window: window[1][0])[0]]
