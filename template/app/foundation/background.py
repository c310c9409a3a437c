"""Work after the answer, so that the answer's time tells nothing."""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import structlog

MOST_TASKS: Final = 5000

logger = structlog.get_logger()


class Background:
    """Runs tasks that nobody waits for. More than `MOST_TASKS` are dropped and logged; failures are
    logged too.

    Args:
        spread_seconds: each begins at a random moment within this time. What it finds to do may
            depend on who has an account, and a request just after the answer would be slower.
    """

    def __init__(self, *, spread_seconds: float = 0) -> None:
        self._spread_seconds = spread_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()

    def submit(self, work: Coroutine[Any, Any, object]) -> None:
        if len(self._tasks) >= MOST_TASKS:
            work.close()
            logger.error("background.dropped", at_once=MOST_TASKS)
            return
        task = asyncio.create_task(self._run(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Begin at once with what waits for its moment, and wait for all that is under way; each
        task ends with the database's deadline."""
        self._hurry.set()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._hurry.clear()

    async def _run(self, work: Coroutine[Any, Any, object]) -> None:
        if self._spread_seconds:
            moment = random.uniform(0, self._spread_seconds)  # noqa: S311  # nosec B311
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), moment)
        try:
            await work
        except Exception as error:  # noqa: BLE001 - nobody waits for this task to hear of it
            logger.error("background.failed", error=type(error).__name__)
