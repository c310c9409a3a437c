"""What happens to the rows of `mails`: added, claimed, put off, done."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, ScalarSelect, Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.foundation.database import AnyRow, Database, utc_now
from app.foundation.mail.models import QueuedMail
from app.security_events import SecurityEvent

MOST_REQUESTED: Final = 10_000
"""Mails waiting that anybody could ask for, and as many about accounts that are gone. Beyond them,
none is added."""

MOST_OF_A_KIND: Final = 5
"""Mails of one kind waiting for one mailbox, or about one account. The earliest are kept, and no
kind takes the place of another."""

PASSED_OVER: Final = 100
"""Mails without room in their mailbox that are passed over in one go."""

REQUESTS_TURN: Final = 4
"""Each so many claims, what anybody may ask for comes first: no flood of the others holds it up."""

LEASE: Final = timedelta(seconds=90)
"""How long a worker has for a mail it claimed. Then it must have died, and another one tries."""

KEPT: Final = timedelta(days=1)
"""How long `purge` leaves what is done: the limit by mailbox counts it."""

logger = structlog.get_logger()

_WAITS: Final = QueuedMail.not_before.is_not(None)

IS_GIVEN_UP: Final = ~_WAITS & QueuedMail.counted_at.is_(None)

_OF_NOBODY: Final = ~QueuedMail.on_request & QueuedMail.user_id.is_(None)


class MailboxLimit(NamedTuple):
    """How many mails go to one address in how much time, and how long the links in them live."""

    amount: int
    window: timedelta
    link_lifetime: timedelta

    def room_at(self, mail: QueuedMail, places: Sequence[AnyRow], *, others_wait: bool) -> datetime:
        """When the mail has room among those of its mailbox, the newest first.

        One of the places is left to what anybody may ask for, and one more to other kinds. Links
        that live shorter than the window are spread over it: who finds no room has one that lives.
        While another mail waits, they leave it a place, and one of them lives if they can.
        """
        alike = [place for place in places if place.kind == mail.kind]
        bounds = [(places, self.amount - 1, self.window), (alike, self.amount - 2, self.window)]
        if mail.on_request:
            most = max(self.amount - 2, 1) if others_wait else self.amount
            span = max(min(self.link_lifetime, self.window), self.window / most)
            share = 1 if others_wait else int(most * span / self.window)
            bounds = [(places, self.amount, self.window), (alike, share, span)]
        full = [(rows[max(most - 1, 0) :], time) for rows, most, time in bounds]
        return max(
            (rows[0].counted_at + time for rows, time in full if rows), default=mail.created_at
        )


class MailQueue:
    """The table, shared by all workers and hosts."""

    def __init__(self, database: Database, limit: MailboxLimit | None) -> None:
        self.database = database
        self._limit = limit
        self._turns = count(1)

    async def add(self, db: AsyncSession, mail: QueuedMail) -> None:
        """Add to a transaction, which holds the lock on the user's row, if the mail has one. What
        anybody may ask for is treated the same, whoever it is about."""
        whose = QueuedMail.recipient == mail.recipient
        if mail.user_id is not None:
            whose |= QueuedMail.user_id == mail.user_id
        is_full = _number(QueuedMail.kind == mail.kind, whose) >= MOST_OF_A_KIND
        if mail.on_request:
            is_full = _number(QueuedMail.on_request) >= MOST_REQUESTED
        elif mail.user_id is None:
            is_full |= _number(_OF_NOBODY) >= MOST_REQUESTED
        if await db.scalar(select(is_full)):
            log_dropped(mail, "queue")
        else:
            db.add(mail)

    async def detach(self, db: AsyncSession, user_id: UUID, recipient: str) -> None:
        """Of the mails about an account that is about to be deleted, take back what waits for its
        own address. What waits for another one, to warn it, is sent, and what is done still counts
        for its mailbox."""
        own = QueuedMail.user_id == user_id
        await _take_back(db, own & (QueuedMail.recipient == recipient))
        has_room = _number(_OF_NOBODY) < MOST_REQUESTED
        await db.execute(update(QueuedMail).where(own, has_room).values(user_id=None))

    async def seconds_until_due(self) -> float | None:
        """Until the next one is; None while none waits."""
        row = await self.database.fetch_one(select(func.min(QueuedMail.not_before)))
        return (row[0] - utc_now()).total_seconds() if row and row[0] else None

    async def claim(self) -> QueuedMail | None:
        """Take a mail that is due and may be sent now; until its lease ends nobody else does. None:
        look again in a moment.

        On PostgreSQL, workers pass over what another one is claiming; SQLite lets one write at a
        time. The row is written once: a second time in a transaction, PostgreSQL asks for a lock on
        its user, and whoever has that may be waiting for this row.
        """
        for _ in range(PASSED_OVER):
            now = utc_now()
            due = _first_due(now, requests_first=next(self._turns) % REQUESTS_TURN == 0)
            async with self.database.transaction() as db:
                mail = await db.scalar(due)
                if mail is None:
                    return None
                if await self._is_within_limit(db, mail, now):
                    mail.not_before, mail.counted_at = now + LEASE, now
                    mail.attempts += 1
                    return mail
        return None

    async def _is_within_limit(self, db: AsyncSession, mail: QueuedMail, now: datetime) -> bool:
        """Whether there is room; else put it off: what anybody could ask for for ever, others until
        there is.

        Here and not when it is asked for, so that no answer's time tells.
        """
        if self._limit is None:
            return True
        if self.database.is_postgresql:  # two workers must not both find the last place
            box = func.hashtextextended(mail.recipient, 0)
            await db.execute(select(func.pg_advisory_xact_lock(box)))
        others = (QueuedMail.recipient == mail.recipient) & (QueuedMail.id != mail.id)
        recent = others & (QueuedMail.counted_at > now - self._limit.window)
        places = select(QueuedMail.counted_at, QueuedMail.kind).where(recent)
        newest_first = places.order_by(QueuedMail.counted_at.desc()).limit(self._limit.amount)
        taken = (await db.execute(newest_first)).all()
        put_off = others & ~QueuedMail.on_request & QueuedMail.counted_at.is_(None)
        others_wait = bool(await db.scalar(select(_number(put_off))))
        room_at = self._limit.room_at(mail, taken, others_wait=others_wait)
        if room_at <= now:
            return True
        mail.counted_at = None
        if mail.on_request:
            mail.not_before = None
            log_dropped(mail, "mailbox")
        else:
            mail.not_before = mail.created_at = room_at
        return False

    async def settle(self, mail: QueuedMail, due: datetime | None, counts: bool = True) -> None:
        """Say when a claimed mail is tried again, if it is, and whether it counts for its mailbox;
        not if its lease has ended."""
        own = (QueuedMail.id == mail.id) & (QueuedMail.not_before == mail.not_before)
        values: dict[str, Any] = {"not_before": due} | ({} if counts else {"counted_at": None})
        await self.database.execute(update(QueuedMail).where(own).values(values))

    def finished(self, now: datetime) -> ColumnElement[bool]:
        """The rows that `purge` deletes: no limit counts them any more."""
        kept = max(KEPT, self._limit.window) if self._limit else KEPT
        last = func.coalesce(QueuedMail.counted_at, QueuedMail.created_at)
        return QueuedMail.not_before.is_(None) & (last < now - kept)

    async def oldest(self, *, but: Collection[str] = ()) -> timedelta | None:
        """How long the oldest mail has been waiting, not for room in its mailbox; None while none
        is.

        Args:
            but: leave out these kinds.
        """
        waits = _WAITS & QueuedMail.kind.not_in(but)
        row = await self.database.fetch_one(select(func.min(QueuedMail.created_at)).where(waits))
        age = utc_now() - row[0] if row and row[0] else timedelta()
        return age if age > timedelta() else None

    async def withdraw(self, db: AsyncSession, kinds: Collection[str], recipient: str) -> None:
        """Take back what was promised and is not sent."""
        await _take_back(db, QueuedMail.kind.in_(kinds) & (QueuedMail.recipient == recipient))


async def _take_back(db: AsyncSession, which: ColumnElement[bool]) -> None:
    """What was tried stays, as done: it may be on its way, and counts for its mailbox."""
    unsent = which & _WAITS & QueuedMail.counted_at.is_(None)
    await db.execute(delete(QueuedMail).where(unsent))
    await db.execute(update(QueuedMail).where(which, _WAITS).values(not_before=None))


def _number(*which: Any) -> ScalarSelect[int]:
    """How many of these wait."""
    return select(func.count()).where(*which, _WAITS).correlate(None).scalar_subquery()


def _first_due(now: datetime, *, requests_first: bool) -> Select[QueuedMail]:
    asked = QueuedMail.on_request
    in_order = (asked.desc() if requests_first else asked, QueuedMail.not_before)
    due = select(QueuedMail).where(QueuedMail.not_before <= now).order_by(*in_order).limit(1)
    return due.with_for_update(skip_locked=True)


def log_dropped(mail: QueuedMail, full: str) -> None:
    """Say that a mail is never sent, and what has no room for it."""
    user_id = str(mail.user_id) if mail.user_id else None
    logger.warning(SecurityEvent.MAIL_DROPPED, kind=mail.kind, full=full, user_id=user_id)
