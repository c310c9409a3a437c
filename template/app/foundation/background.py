"""Work after the answer, so that the answer's time tells nothing."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog

MOST_TASKS: Final = 1000

logger = structlog.get_logger()


class Background:
    """Runs tasks that nobody waits for. More than `MOST_TASKS` are dropped and logged; failures are
    logged too."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, work: Coroutine[Any, Any, object]) -> None:
        if len(self._tasks) >= MOST_TASKS:
            work.close()
            logger.error("background.dropped", at_once=MOST_TASKS)
            return
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for what is under way; each task ends with the database's deadline."""
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _logged(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - nobody waits for this task to hear of it
        logger.error("background.failed", error=type(error).__name__)
