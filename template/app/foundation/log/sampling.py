"""Events that anybody can cause by the thousand: log some of each a minute, and count the rest."""

from collections import defaultdict
from time import monotonic
from typing import Any, Final

import structlog

LINES_A_MINUTE: Final = 20
"""Lines of one event, in each worker."""

logger = structlog.get_logger()


class Sample:
    """Lets the first of each minute through, and counts the others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ends = 0.0
        self._seen = 0

    def admit(self, now: float) -> int | None:
        """How many were left out in the minute before, or None to leave this one out, too."""
        left_out = 0
        if now >= self._ends:
            left_out = max(0, self._seen - self._most)
            self._ends, self._seen = now + 60, 0
        self._seen += 1
        return left_out if self._seen <= self._most else None


_samples: defaultdict[str, Sample] = defaultdict(lambda: Sample(LINES_A_MINUTE))


def log_sampled(event: str, **facts: Any) -> None:
    left_out = _samples[event].admit(monotonic())
    if left_out is not None:
        more = {"left_out": left_out} if left_out else {}
        logger.warning(event, **facts, **more)
