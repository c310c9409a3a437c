"""What admins and operators do with other people's accounts."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic.alias_generators import to_camel
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import reset_links
from app.accounts.events import EVENTS_KEPT, record
from app.accounts.models import AccountEvent, PasswordReset, RevokedReason, Role, Session, User
from app.accounts.sessions import (
    SignedInUser,
    end_credentials,
    lock_signed_in_user,
    lock_user,
    revoke,
)
from app.errors import AppError, ErrorCode
from app.foundation.database import AnyRow, Base, utc_now
from app.foundation.mail import QueuedMail
from app.security_events import SecurityEvent
from app.services import Services

PURGED_AT_ONCE: Final = 1000
"""Rows in one transaction. A million at once would run into the database's deadline, and until then
nobody else could write to SQLite."""

SEEDED: Final = ("admin@example.com", "user@example.com")
"""The addresses of the users to develop with: `python -m app.manage seed`."""

PURGE_OVERDUE: Final = timedelta(days=7)

_USERS: Final = select(
    User.id, User.email, User.name, User.role, User.is_active, User.created_at, User.updated_at
)
"""What is shown of users. Read without a transaction, which would take SQLite's write lock."""

UserOrRow = TypeVar("UserOrRow", User, AnyRow)


async def list_users(
    services: Services, limit: int, offset: int, *conditions: ColumnElement[bool]
) -> tuple[Sequence[AnyRow], int]:
    """One page of users in order of registration, and how many there are in all.

    Args:
        conditions: only users who meet them are listed, for example `User.is_active`.
    """
    page = _USERS.where(*conditions).order_by(User.created_at, User.id).limit(limit).offset(offset)
    users = await services.database.fetch_all(page)
    count = select(func.count()).select_from(User).where(*conditions)
    [(total,)] = await services.database.fetch_all(count)
    return users, total


async def find_user(services: Services, user_id: UUID) -> AnyRow:
    """
    Raises:
        AppError: 404 not_found.
    """
    return _found(await services.database.fetch_one(_USERS.where(User.id == user_id)))


async def update_user(
    services: Services,
    user_id: UUID,
    *,
    by: SignedInUser | None = None,
    role: Role | None = None,
    is_active: bool | None = None,
) -> User:
    """Change role or state, from the next request on. Deactivating ends every session.

    Args:
        by: the calling admin; None is an operator.

    Raises:
        AppError: 404 not_found; 403 forbidden, `by` is no admin any more.
        InvalidToken: the session of `by` has ended meanwhile.
    """
    async with services.database.transaction() as db:
        user = await lock_for(db, by, user_id)
        if role is not None and role != user.role:
            user.role = role
            record(db, SecurityEvent.ROLE_CHANGED, user_id, role=role.value)
        if is_active is not None and is_active != user.is_active:
            await _set_active(services, db, user, is_active)
        await db.flush()
    return user


async def lock_for(db: AsyncSession, admin: SignedInUser | None, user_id: UUID) -> User:
    """Take the row of somebody's account, for an admin or an operator.

    Check again, with both rows locked, that the admin still is one: if two admins demote each
    other, one must remain.

    Raises:
        AppError: 404 not_found; 403 forbidden, the admin is none any more.
        InvalidToken: the session of the admin has ended meanwhile.
    """
    if admin is not None:
        both = select(User.id).where(User.id.in_((admin.id, user_id))).order_by(User.id)
        await db.execute(both.with_for_update())  # in one order, or they would wait for each other
        if (await lock_signed_in_user(db, admin)).role != Role.ADMIN:
            raise only_admins()
    return _found(await lock_user(db, user_id))


def only_admins() -> AppError:
    return AppError(403, ErrorCode.FORBIDDEN, "Only admins may do this.")


async def _set_active(services: Services, db: AsyncSession, user: User, is_active: bool) -> None:
    user.is_active = is_active
    if is_active:
        record(db, SecurityEvent.USER_ACTIVATED, user.id)
        return
    await reset_links.end_all(services, db, user)
    await db.execute(revoke(RevokedReason.DEACTIVATED).where(Session.user_id == user.id))
    await end_credentials(services, db, user.id, RevokedReason.DEACTIVATED)
    record(db, SecurityEvent.USER_DEACTIVATED, user.id)


async def set_password(services: Services, user_id: UUID, new_password: str) -> None:
    """Set somebody's password; all their sessions end.

    Raises:
        AppError: 404 not_found.
    """
    password_hash = await services.passwords.hash(new_password)
    async with services.database.transaction() as db:
        user = _found(await lock_user(db, user_id))
        user.password_hash = password_hash
        await reset_links.end_all(services, db, user)
        await db.execute(revoke(RevokedReason.PASSWORD_CHANGED).where(Session.user_id == user_id))
        await end_credentials(services, db, user_id, RevokedReason.PASSWORD_RESET)
        record(db, SecurityEvent.PASSWORD_CHANGED, user_id)


async def seeded_users(services: Services) -> list[str]:
    """The development users that are there; their passwords were on somebody's screen."""
    there = select(User.email).where(User.email.in_(SEEDED), User.is_active).order_by(User.email)
    return [row.email for row in await services.database.fetch_all(there)]


async def purge(services: Services) -> dict[str, int]:
    """Delete what has expired; returns how many sessions, reset links, events and mails.

    If a model of a part or a feature has `expired(now)`, it says which of its rows to delete.
    """
    now = utc_now()
    rows: dict[str, tuple[Any, ColumnElement[bool]]] = {
        "sessions": (Session, Session.expires_at < now),
        "passwordResets": (PasswordReset, PasswordReset.expires_at < now),
        "events": (AccountEvent, AccountEvent.created_at < now - EVENTS_KEPT),
        "mails": (QueuedMail, services.outbox.queue.finished(now)),
    }
    for kind in [mapper.class_ for mapper in Base.registry.mappers]:
        if hasattr(kind, "expired"):
            rows[to_camel(kind.__tablename__)] = (kind, kind.expired(now))
    return {name: await _delete(services, *expired) for name, expired in rows.items()}


async def is_purge_overdue(services: Services) -> bool:
    """Whether nobody has purged for a week, judging by the rows that are left."""
    left = select(Session.id).where(Session.expires_at < utc_now() - PURGE_OVERDUE).limit(1)
    return await services.database.fetch_one(left) is not None


async def _delete(services: Services, table: Any, expired_rows: ColumnElement[bool]) -> int:
    expired = select(table.id).where(expired_rows).limit(PURGED_AT_ONCE)
    batch = delete(table).where(table.id.in_(expired)).returning(table.id)
    count = 0
    while deleted := await services.database.execute(batch):
        count += len(deleted)
    return count


def _found(user: UserOrRow | None) -> UserOrRow:
    if user is None:
        raise AppError(404, ErrorCode.NOT_FOUND, "There is no such user.")
    return user
