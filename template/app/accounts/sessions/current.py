"""Live sessions: the user of a request, a user's sessions, and the lock that keeps them in order.

An access token names its session, and `find_signed_in_user` checks user and session in one query.
So a token dies with either of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import Session, User
from app.accounts.tokens import Claims, InvalidToken
from app.errors import AppError, ErrorCode
from app.foundation.database import AnyRow, utc_now
from app.services import Services


@dataclass(frozen=True, slots=True)
class SignedInUser(ABC):
    """The user of a request, with any kind of token."""

    id: UUID
    email: str
    name: str | None
    role: str
    created_at: datetime

    @abstractmethod
    def sign_of_life(self) -> Select[Any]:
        """A query that finds a row until the session or token ends that signed the user in."""

    def may_write(self) -> bool:
        """Whether they may use methods other than GET and HEAD."""
        return True


@dataclass(frozen=True, slots=True)
class SessionUser(SignedInUser):
    """A user who signed in with a password, and the session that this opened."""

    session_id: UUID

    def sign_of_life(self) -> Select[Any]:
        return select(Session.id).where(Session.id == self.session_id, is_live(utc_now()))


def is_live(now: datetime | Any) -> ColumnElement[bool]:
    return Session.revoked_at.is_(None) & (Session.expires_at > now)


_SIGNED_IN_USER = (
    select(User.id, User.email, User.name, User.role, User.created_at, Session.id)
    .join(Session, Session.user_id == User.id)
    .where(Session.id == bindparam("session_id"), User.id == bindparam("user_id"))
    .where(User.is_active, is_live(bindparam("now")))
)


async def find_signed_in_user(services: Services, claims: Claims) -> SessionUser | None:
    """Load user and session of an access token; None when either has ended."""
    row = await services.database.fetch_one(
        _SIGNED_IN_USER, session_id=claims.session_id, user_id=claims.user_id, now=utc_now()
    )
    return SessionUser(*row) if row else None


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
    """Lock the user's row. Opening a session locks it too, so none slips through."""
    return await db.scalar(select(User).where(User.id == user_id).with_for_update())


def fresh_login_required(message: str = "Sign in with your password for this.") -> AppError:
    return AppError(403, ErrorCode.FRESH_LOGIN_REQUIRED, message)


async def lock_signed_in_user(db: AsyncSession, user: SignedInUser) -> User:
    """Lock the caller's row, before a change that only a signed-in user may make. Their session or
    token was checked when the request came in. But a hash takes long: a user who was signed out or
    deactivated meanwhile must not make the change.

    Raises:
        InvalidToken: the session, or the token, has ended.
    """
    locked = await lock_user(db, user.id)
    if locked is None or not locked.is_active or await db.scalar(user.sign_of_life()) is None:
        raise InvalidToken
    return locked
