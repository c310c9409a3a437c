"""What happens to the rows of `mails`: added, claimed, put off, done."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from app.foundation.database import Database, utc_now
from app.foundation.mail.models import QueuedMail
from app.security_events import SecurityEvent

MOST_REQUESTED: Final = 10_000
"""Mails waiting that anybody could ask for. Beyond them, requests add none."""

MOST_OF_AN_ACCOUNT: Final = 20
"""Mails waiting about one account. The earliest are kept."""

LEASE: Final = timedelta(seconds=90)
"""How long a worker has for a mail it claimed. Then it must have died, and another one tries."""

KEPT: Final = timedelta(days=1)
"""How long `purge` leaves what is done: the limit by mailbox counts it."""

logger = structlog.get_logger()

_WAITS: Final = QueuedMail.not_before.is_not(None)


class MailQueue:
    """The table, shared by all workers and hosts.

    Args:
        per_mailbox: so many mails, in so much time, go to one address; None for no limit.
    """

    def __init__(self, database: Database, per_mailbox: tuple[int, timedelta] | None) -> None:
        self._database = database
        self._per_mailbox = per_mailbox

    async def add(self, db: AsyncSession, mail: QueuedMail) -> None:
        """Add to a transaction, which holds the lock on the user's row, if the mail has one."""
        of_account = select(func.count()).where(QueuedMail.user_id == mail.user_id, _WAITS)
        if mail.user_id and (await db.scalar(of_account) or 0) >= MOST_OF_AN_ACCOUNT:
            _log_dropped(mail, "account")
        else:
            db.add(mail)

    async def add_requested(self, mail: QueuedMail) -> None:
        """Add what anybody may ask for, if there is room: one statement, whoever it is about."""
        names = ("kind", "recipient", "on_request", "not_before", "attempts")
        columns = [getattr(QueuedMail, name) for name in names]
        row = [literal(getattr(mail, column.key), column.type) for column in columns]
        waiting = select(func.count()).where(QueuedMail.on_request, _WAITS).scalar_subquery()
        if_room = select(*row).where(waiting < MOST_REQUESTED)
        added = insert(QueuedMail).from_select(columns, if_room).returning(QueuedMail.id)
        if not await self._database.execute(added):
            _log_dropped(mail, "queue")

    async def seconds_until_due(self) -> float | None:
        """Until the next one is; None while none waits."""
        row = await self._database.fetch_one(select(func.min(QueuedMail.not_before)))
        return (row[0] - utc_now()).total_seconds() if row and row[0] else None

    async def claim(self) -> QueuedMail | None:
        """Take a mail that is due and may be sent now; until its lease ends nobody else does.

        One conditional UPDATE decides. On PostgreSQL, workers pass over what another one is
        claiming; SQLite lets one write at a time.
        """
        while True:
            now = utc_now()
            async with self._database.transaction() as db:
                mail = await db.scalar(_claim(now))
                if mail is None or await self._is_within_limit(db, mail, now):
                    return mail

    async def _is_within_limit(self, db: AsyncSession, mail: QueuedMail, now: datetime) -> bool:
        """Count it, or put it off: what anybody could ask for for ever, others until there is room.

        Here and not when it is asked for, so that no answer's time tells.
        """
        if self._per_mailbox is None:
            return True
        amount, window = self._per_mailbox
        if self._database.is_postgresql:  # two workers must not both find the last place
            box = func.hashtextextended(mail.recipient, 0)
            await db.execute(select(func.pg_advisory_xact_lock(box)))
        counted = select(QueuedMail.counted_at).where(
            QueuedMail.recipient == mail.recipient,
            QueuedMail.id != mail.id,
            QueuedMail.counted_at > now - window,
        )
        newest_first = counted.order_by(QueuedMail.counted_at.desc()).limit(amount)
        places = [place for place in await db.scalars(newest_first) if place]
        if len(places) < amount:
            mail.counted_at = now
            return True
        mail.attempts -= 1
        if mail.on_request:
            mail.not_before = None
            _log_dropped(mail, "mailbox")
        else:
            mail.not_before = places[-1] + window
        return False

    async def settle(self, mail: QueuedMail, next_try: datetime | None) -> None:
        """Say when a claimed mail is tried again, if it is; not if its lease has ended."""
        own = (QueuedMail.id == mail.id) & (QueuedMail.not_before == mail.not_before)
        await self._database.execute(update(QueuedMail).where(own).values(not_before=next_try))

    async def oldest(self, *, promised: bool = False) -> timedelta | None:
        """How long the oldest mail has been waiting; None while none is.

        Args:
            promised: leave out what anybody may ask for. Where everybody sees the figure, a mail
                that the mail server puts off would tell that there is such an account.
        """
        which = _WAITS & ~QueuedMail.on_request if promised else _WAITS
        row = await self._database.fetch_one(select(func.min(QueuedMail.created_at)).where(which))
        return utc_now() - row[0] if row and row[0] else None

    async def withdraw(self, db: AsyncSession, kinds: Collection[str], recipient: str) -> None:
        """Take back what was promised and is not sent."""
        same = QueuedMail.kind.in_(kinds) & (QueuedMail.recipient == recipient)
        await db.execute(delete(QueuedMail).where(same, _WAITS))


def _claim(now: datetime) -> ReturningUpdate[QueuedMail]:
    due = QueuedMail.not_before <= now
    in_order = (QueuedMail.on_request, QueuedMail.not_before)  # what owners must know goes first
    first = select(QueuedMail.id).where(due).order_by(*in_order).limit(1)
    free = first.with_for_update(skip_locked=True).scalar_subquery()
    return (
        update(QueuedMail)
        .where(QueuedMail.id == free, due)
        .values(not_before=now + LEASE, attempts=QueuedMail.attempts + 1)
        .returning(QueuedMail)
    )


def _log_dropped(mail: QueuedMail, full: str) -> None:
    user_id = str(mail.user_id) if mail.user_id else None
    logger.warning(SecurityEvent.MAIL_DROPPED, kind=mail.kind, full=full, user_id=user_id)


def finished(now: datetime) -> ColumnElement[bool]:
    """The rows that `purge` deletes."""
    return QueuedMail.not_before.is_(None) & (QueuedMail.created_at < now - KEPT)
