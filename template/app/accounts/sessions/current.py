"""Live sessions: whose a request is, which a user has, and the lock that keeps them in order.

An access token names its session, and `find_signed_in_user` checks user and session in one query:
they die together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import Session, User
from app.accounts.tokens import Claims, InvalidToken
from app.foundation.database import AnyRow, utc_now
from app.services import Services


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """The user behind a request, and the session it came through."""

    id: UUID
    email: str
    name: str | None
    role: str
    created_at: datetime
    session_id: UUID


def is_live(now: datetime | Any) -> ColumnElement[bool]:
    return Session.revoked_at.is_(None) & (Session.expires_at > now)


_SIGNED_IN_USER = (
    select(User.id, User.email, User.name, User.role, User.created_at, Session.id)
    .join(Session, Session.user_id == User.id)
    .where(Session.id == bindparam("session_id"), User.id == bindparam("user_id"))
    .where(User.is_active, is_live(bindparam("now")))
)


async def find_signed_in_user(services: Services, claims: Claims) -> SignedInUser | None:
    """Load user and session of an access token; None when either has ended."""
    row = await services.database.fetch_one(
        _SIGNED_IN_USER, session_id=claims.session_id, user_id=claims.user_id, now=utc_now()
    )
    return SignedInUser(*row) if row else None


async def list_sessions(
    services: Services,
    user_id: UUID,
    current: UUID | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> Sequence[AnyRow]:
    """A page of a user's live sessions, the latest used first; `current` is marked."""
    return await services.database.fetch_all(
        select(
            Session.id,
            Session.created_at,
            Session.rotated_at.label("last_used_at"),
            Session.expires_at,
            Session.user_agent,
            Session.ip_address,
            (Session.id == current).label("current"),
        )
        .where(Session.user_id == user_id, is_live(utc_now()))
        .order_by(Session.rotated_at.desc(), Session.id)
        .limit(limit)
        .offset(offset)
    )


async def lock_user(db: AsyncSession, user_id: UUID) -> User | None:
    """Take the row that whoever opens a session takes too, so that none slips through."""
    return await db.scalar(select(User).where(User.id == user_id).with_for_update())


async def lock_signed_in_user(db: AsyncSession, user: SignedInUser) -> User:
    """Take the row of who asks, before a change that they may make only while signed in.

    The session was checked when the request came in. A password takes long to hash: whoever was
    signed out meanwhile, or deactivated, must not have the last word.

    Raises:
        InvalidToken: the session has ended.
    """
    locked = await lock_user(db, user.id)
    live = select(Session.id).where(Session.id == user.session_id, is_live(utc_now()))
    if locked is None or not locked.is_active or await db.scalar(live) is None:
        raise InvalidToken
    return locked
