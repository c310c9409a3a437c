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

AT_ONCE: Final = 4

POLL_SECONDS: Final = 5.0
"""For what another process has promised; what this one has is known at once."""

BUSY_SECONDS: Final = 0.05

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

    def __init__(self, queue: MailQueue, mailer: Mailer, *, spread_seconds: float) -> None:
        self.queue = queue
        self._mailer = mailer
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
        due = utc_now() + timedelta(seconds=moment)
        mail = QueuedMail(kind=kind, recipient=recipient, on_request=True, not_before=due)
        async with self.queue.database.transaction() as db:
            await self.queue.add(db, mail)
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
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_seconds):
                if self._runner:  # it may be about to begin with one more
                    await asyncio.wait({self._runner})
                if self._under_way:
                    await asyncio.wait(self._under_way)
        late = {task for task in (self._runner, *self._under_way) if task and not task.done()}
        for task in late:
            task.cancel()
        if late:
            logger.warning("mail.interrupted", mails=len(self._under_way))
            await asyncio.wait(late, timeout=1)

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
                    await asyncio.wait_for(self._wake.wait(), pause)

    async def _start_due(self, write: Write) -> float:
        """Begin with all that is due; returns for how many seconds nothing else will be."""
        while len(self._under_way) < AT_ONCE and not self._stop.is_set():
            seconds = await self.queue.seconds_until_due()
            if seconds is None or seconds > 0:
                return min(seconds or POLL_SECONDS, POLL_SECONDS)
            mail = await self.queue.claim()
            if mail is None:  # another worker is about to have it, or many had no room
                return BUSY_SECONDS
            task = asyncio.create_task(self._deliver(mail, write))
            self._under_way.add(task)
            task.add_done_callback(self._finished)
        return POLL_SECONDS  # one that ends wakes us

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._wake.set()

    async def _deliver(self, queued: QueuedMail, write: Write) -> None:
        next_try, counts = None, True
        log = logger.bind(kind=queued.kind, attempt=queued.attempts)
        try:
            if queued.attempts > MAX_ATTEMPTS:
                raise MailRefused("whoever tried to send it was killed")
            async with asyncio.timeout(DELIVERY_SECONDS):
                mail = await write(queued)
                if mail is not None:
                    await self._mailer.deliver(mail)
                    log.info("mail.delivered")
                # Of what anybody may ask for, nobody's counts too: or the limit would tell.
                counts = mail is not None or queued.on_request
        except Exception as error:  # noqa: BLE001 - nobody waits for this task to hear of it
            # Names only: the text of an SMTP error can quote the address or the mail.
            refused = isinstance(error, MailRefused)
            reason = str(error) if refused else type(error).__name__
            counts = not refused and queued.attempts < MAX_ATTEMPTS
            if counts:
                next_try = utc_now() + pause_after(queued.attempts)
                log.warning("mail.retrying", error=reason)
            else:
                user_id = str(queued.user_id) if queued.user_id else None
                log = logger.bind(kind=queued.kind, attempts=queued.attempts, user_id=user_id)
                log.error(SecurityEvent.MAIL_GIVEN_UP, reason=reason)
        await self._settle(queued, next_try, counts)

    async def _settle(self, queued: QueuedMail, next_try: datetime | None, counts: bool) -> None:
        """Say so in the table, also after an outage: or it would be sent again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEASE.total_seconds() - DELIVERY_SECONDS):
                while True:
                    try:
                        return await self.queue.settle(queued, next_try, counts)
                    except (Unavailable, DBAPIError):
                        await asyncio.sleep(1)


def pause_after(attempts: int) -> timedelta:
    """Twice as long each time, less a random part, so that tries don't line up."""
    seconds = min(FIRST_PAUSE_SECONDS * 2 ** (attempts - 1), LONGEST_BACKOFF_SECONDS)
    return timedelta(seconds=seconds * random.uniform(0.75, 1))  # noqa: S311  # nosec B311
