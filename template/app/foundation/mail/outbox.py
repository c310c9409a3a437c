"""The outbox takes mail off the request's path."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from app.foundation.mail.mailers import Mailer, MailRefused
from app.foundation.mail.message import Mail

LONGEST_BACKOFF_SECONDS: Final = 30.0

logger = structlog.get_logger()

T = TypeVar("T")

Job = Callable[[], Awaitable[Mail | None]]
"""Prepares a mail, or finds that none is due."""


class Outbox:
    """Prepares and delivers mail off the request's path, with a few tries and a bound.

    A request that may end in a mail hands over a job and answers at once. So its time says
    nothing about whether there is an account, nor whether the mail server is up (OWASP Forgot
    Password Cheat Sheet). For the same reason `submit` never raises and never waits.
    """

    def __init__(
        self,
        mailer: Mailer,
        *,
        capacity: int = 1000,
        concurrency: int = 4,
        attempts: int = 4,
        backoff_seconds: float = 1.0,
    ) -> None:
        self._mailer = mailer
        self._capacity = capacity
        self._gate = asyncio.Semaphore(concurrency)
        self._attempts = attempts
        self._backoff_seconds = backoff_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, work: Mail | Job) -> None:
        """Take a mail, or a job that prepares one. Over capacity it is dropped, and logged."""
        if len(self._tasks) >= self._capacity:
            logger.error("mail.dropped", reason="outbox full", capacity=self._capacity)
            return
        task = asyncio.create_task(self._process(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, deadline_seconds: float = 8.0) -> None:
        """Deliver what is waiting, so that stopping the server loses no mail.

        The deadline is below the 10 s after which Docker kills what it stops.
        """
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=deadline_seconds)
        for task in late:
            task.cancel()
        if late:
            logger.error("mail.lost", reason="shutdown deadline", mails=len(late))
            await asyncio.wait(late)

    async def _process(self, work: Mail | Job) -> None:
        try:
            mail = work if isinstance(work, Mail) else await self._with_retries(work)
            if mail is not None:
                await self._with_retries(lambda: self._mailer.deliver(mail))
                logger.info("mail.delivered")
        except Exception as error:  # noqa: BLE001 - nobody waits for this task to hear of it
            # Names only: the text of an SMTP error can quote the address or the mail.
            cause = type(error.__cause__ or error).__name__
            logger.error("mail.failed", error=cause)

    async def _with_retries(self, operation: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(1, self._attempts):
            try:
                async with self._gate:
                    return await operation()
            except MailRefused:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the last try reports it
                logger.warning("mail.retrying", error=type(error).__name__, attempt=attempt)
            await asyncio.sleep(self._backoff(attempt))
        async with self._gate:
            return await operation()

    def _backoff(self, attempt: int) -> float:
        """Wait twice as long each time, less a random part, so that retries don't line up."""
        ceiling: float = min(self._backoff_seconds * 2**attempt, LONGEST_BACKOFF_SECONDS)
        return ceiling * random.uniform(0.5, 1)  # noqa: S311  # nosec B311
