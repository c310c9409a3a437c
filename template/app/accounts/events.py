"""What happens to accounts: logged, and kept, so that "was that me?" has an answer.

`app.foundation.caller` knows the caller's address and who acts: both are the same for the whole
request.
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy import ColumnElement, Uuid, func, insert, literal, select, update
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import AccountEvent, User
from app.accounts.tokens import token_hash
from app.foundation.caller import caller, user_agent
from app.foundation.database import AnyRow, utc_now
from app.security_events import WARNINGS
from app.services import Services

EVENTS_KEPT: Final = timedelta(days=90)

logger = structlog.get_logger()


def record(
    db: AsyncSession,
    event: StrEnum,
    user_id: UUID,
    *,
    session_id: UUID | None = None,
    **details: Any,
) -> None:
    """Write an event in the transaction of the change that it reports; the commit logs it.

    Args:
        session_id: the session that the event is about; by default the request's.
        details: short facts; nothing secret, and nothing about a person.
    """
    db.add(AccountEvent(**_values(event, user_id, session_id, details)))
    about = {"session_id": str(session_id)} if session_id else {}
    log_when_committed(db, event, user_id=str(user_id), **about, **details)


def log_when_committed(db: AsyncSession, event: StrEnum, **facts: Any) -> None:
    """Log an event, unless its transaction is rolled back."""
    listen(db.sync_session, "after_commit", lambda _: _log(event, **facts), once=True)


async def keep_without_account(db: AsyncSession, user: User) -> None:
    """Keep the events of an account that is about to be deleted, to be found only by its address.
    The caller holds the lock on the user. The kept events name nobody."""
    whose = {"user_id": None, "email_hash": token_hash(user.email)}
    traces = {"ip_address": None, "user_agent": None}
    mine = update(AccountEvent).where(AccountEvent.user_id == user.id)
    await db.execute(mine.values(**whose, **traces))


def note(
    services: Services,
    event: StrEnum,
    user_id: UUID | None,
    session_id: UUID | None = None,
    *,
    email: str = "",
) -> None:
    """Log an event that belongs to no transaction, and store it after the answer. The work is the
    same with and without an account. Otherwise the time of this or the next answer would tell which
    addresses have one (ASVS 5.0 6.3.8).

    Args:
        email: the address that was tried. It is logged as a hash if it has no account.
    """
    about = {"session_id": str(session_id)} if session_id else {}
    tried = {"email_hash": token_hash(email)} if user_id is None else {}
    _log(event, user_id=str(user_id) if user_id else None, **about, **tried)
    values = _values(event, user_id or uuid4(), session_id, {})
    services.background.submit(services.database.execute(_insert_if_user(values)))


def _insert_if_user(values: dict[str, Any]) -> Any:
    """One statement: the user may be deleted before it is carried out."""
    columns = AccountEvent.__table__.c
    row = select(*(literal(value, columns[name].type) for name, value in values.items()))
    user = select(User.id).where(User.id == literal(values["user_id"], Uuid())).exists()
    return insert(AccountEvent).from_select([*values], row.where(user))


def _values(
    event: StrEnum, user_id: UUID, session_id: UUID | None, details: dict[str, Any]
) -> dict[str, Any]:
    by = caller()
    return {
        "id": uuid4(),
        "user_id": user_id,
        "event": event.value,
        "created_at": utc_now(),
        "session_id": session_id or by.session_id,
        "ip_address": by.client,
        "user_agent": user_agent(),
        "request_id": by.request_id,
        "actor": by.actor,
        "details": details,
    }


def _log(event: StrEnum, **facts: Any) -> None:
    (logger.warning if event in WARNINGS else logger.info)(event, **facts)


async def list_events(
    services: Services, whose: ColumnElement[bool], limit: int, offset: int
) -> tuple[Sequence[AnyRow], int]:
    """One page of what happened, the latest first, and how much there is in all.

    Args:
        whose: the condition, such as `AccountEvent.user_id == user.id`.
    """
    page = select(AccountEvent.__table__).where(whose).limit(limit).offset(offset)
    latest_first = page.order_by(AccountEvent.created_at.desc(), AccountEvent.id)
    events = await services.database.fetch_all(latest_first)
    [(total,)] = await services.database.fetch_all(select(func.count()).where(whose))
    return events, total
