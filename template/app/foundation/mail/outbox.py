"""The outbox: promises mail in a transaction, and sends it off the request's path."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Unavailable
from app.foundation.database import utc_now
from app.foundation.mail.mailers import Mailer, MailRefused
from app.foundation.mail.message import Mail
from app.foundation.mail.models import QueuedMail
from app.foundation.mail.queue import LEASE, MailQueue
from app.security_events import SecurityEvent

FIRST_PAUSE_SECONDS: Final = 30.0

LONGEST_BACKOFF_SECONDS: Final = 2 * 3600.0

MAX_ATTEMPTS: Final = 12
"""With pauses from 30 s up to two hours: some seven hours in all."""

DELIVERY_SECONDS: Final = 45.0
"""For one try. Well below the lease: nobody else sends the same mail meanwhile."""

POLL_SECONDS: Final = 5.0
"""For what another process has promised; what this one has is known at once."""

BUSY_SECONDS: Final = 0.05

SPREAD_SECONDS: Final = 2.0

logger = structlog.get_logger()

Write = Callable[[QueuedMail], Awaitable[Mail | None]]
"""Writes a mail when its turn has come, or finds that none is due any more."""


class Outbox:
    """Mail that is promised arrives, whatever is restarted or away meanwhile.

    A promise is a row of `mails`, committed together with what it tells about. A task in each
    worker claims rows, writes them and sends them. A worker that is killed loses its claim after
    a while, and nothing else: at worst the mail was sent a moment before, and comes twice.

    Args:
        spread_seconds: what anybody may ask for leaves at a random moment within this time, so
            that whoever asks just after learns nothing from how long the answer takes.
    """

    def __init__(
        self,
        queue: MailQueue,
        mailer: Mailer,
        *,
        concurrency: int = 4,
        spread_seconds: float = SPREAD_SECONDS,
    ) -> None:
        self.queue = queue
        self._mailer = mailer
        self._concurrency = concurrency
        self._spread_seconds = spread_seconds
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def promise(
        self,
        db: AsyncSession,
        kind: str,
        recipient: str,
        *,
        user_id: UUID | None,
        detail: str | None = None,
    ) -> None:
        """Send a mail if, and as soon as, this transaction commits."""
        mail = QueuedMail(kind=kind, recipient=recipient, user_id=user_id, detail=detail)
        await self.queue.add(db, mail)
        event.listen(db.sync_session, "after_commit", lambda _session: self._wake.set())

    async def request(self, kind: str, recipient: str) -> None:
        """Queue a mail that anybody may ask for. Whether it is due is found out when it is sent:
        here nothing depends on who has an account (OWASP Forgot Password Cheat Sheet)."""
        moment = random.uniform(0, self._spread_seconds)  # noqa: S311  # nosec B311
        mail = QueuedMail(
            kind=kind,
            recipient=recipient,
            on_request=True,
            not_before=utc_now() + timedelta(seconds=moment),
            attempts=0,
        )
        await self.queue.add_requested(mail)
        self._wake.set()

    async def rehearse(self, mail: Mail) -> None:
        """Do the work of sending for a mail that goes to nobody: a neighbour's request must not
        tell by its time whether there was one to send."""
        await self._mailer.rehearse(mail)

    def start(self, write: Write) -> None:
        """Begin to send what is due."""
        self._stop.clear()
        self._runner = asyncio.create_task(self._run(write))

    async def close(self, deadline_seconds: float = 8.0) -> None:
        """Finish the mails under way; the others stay in the table for whoever starts next.

        The deadline is below the 10 s after which Docker kills what it stops.
        """
        self._stop.set()
        self._wake.set()
        if self._runner:  # not cancelled: its query ends, at the latest with the deadline
            await asyncio.wait({self._runner})
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=deadline_seconds)
            for task in late:
                task.cancel()
            if late:
                logger.warning("mail.interrupted", mails=len(late))
                await asyncio.wait(late)

    async def _run(self, write: Write) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            pause = POLL_SECONDS
            try:
                pause = await self._start_due(write)
            except Exception as error:  # noqa: BLE001 - whatever it is, mail goes on when it ends
                logger.warning("mail.queue_failed", error=type(error).__name__)
            if not self._stop.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def _start_due(self, write: Write) -> float:
        """Begin with all that is due; returns for how many seconds nothing else will be."""
        while len(self._under_way) < self._concurrency and not self._stop.is_set():
            seconds = await self.queue.seconds_until_due()
            if seconds is None or seconds > 0:
                return min(seconds or POLL_SECONDS, POLL_SECONDS)
            mail = await self.queue.claim()
            if mail is None:  # another worker is about to have it
                return BUSY_SECONDS
            task = asyncio.create_task(self._deliver(mail, write))
            self._under_way.add(task)
            task.add_done_callback(self._finished)
        return POLL_SECONDS  # one that ends wakes us

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._wake.set()

    async def _deliver(self, queued: QueuedMail, write: Write) -> None:
        next_try = None
        log = logger.bind(kind=queued.kind, attempt=queued.attempts)
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                mail = await write(queued)
                if mail is not None:
                    await self._mailer.deliver(mail)
                    log.info("mail.delivered")
        except MailRefused as error:
            _log_given_up(queued, str(error))
        except Exception as error:  # noqa: BLE001 - nobody waits for this task to hear of it
            # Names only: the text of an SMTP error can quote the address or the mail.
            if queued.attempts < MAX_ATTEMPTS:
                next_try = utc_now() + pause_after(queued.attempts)
                log.warning("mail.retrying", error=type(error).__name__)
            else:
                _log_given_up(queued, type(error).__name__)
        await self._settle(queued, next_try)

    async def _settle(self, queued: QueuedMail, next_try: datetime | None) -> None:
        """Say so in the table, also after an outage: or it would be sent again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEASE.total_seconds() - DELIVERY_SECONDS):
                while True:
                    try:
                        return await self.queue.settle(queued, next_try)
                    except (Unavailable, DBAPIError):
                        await asyncio.sleep(1)


def pause_after(attempts: int) -> timedelta:
    """Twice as long each time, less a random part, so that tries don't line up."""
    seconds = min(FIRST_PAUSE_SECONDS * 2 ** (attempts - 1), LONGEST_BACKOFF_SECONDS)
    return timedelta(seconds=seconds * random.uniform(0.75, 1))  # noqa: S311  # nosec B311


def _log_given_up(queued: QueuedMail, reason: str) -> None:
    user_id = str(queued.user_id) if queued.user_id else None
    logger.error(
        SecurityEvent.MAIL_GIVEN_UP,
        kind=queued.kind,
        attempts=queued.attempts,
        reason=reason,
        user_id=user_id,
    )
