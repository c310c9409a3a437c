"""The tables.

Locks are always taken in this order: `users`, `mails`, `password_resets`, `refresh_tokens`. So two
requests that change the same account wait for each other and never deadlock. A new row of
`account_events` also locks its user: `lock_user` comes first.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.foundation.database import SECRET, Base, UtcDateTime, utc_now


class Role(StrEnum):
    USER = "user"
    ADMIN = "admin"


class RevokedReason(StrEnum):
    """Why a session ended before its time."""

    LOGOUT = "logout"
    REVOKED_BY_USER = "revoked_by_user"
    REVOKED_BY_OPERATOR = "revoked_by_operator"
    REFRESH_REUSED = "refresh_reused"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # nosec B105
    PASSWORD_RESET = "password_reset"  # noqa: S105  # nosec B105
    DEACTIVATED = "deactivated"
    TOO_MANY = "too_many_sessions"


class User(Base):
    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('user', 'admin')", name="role"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """Canonical, see `emails.canonical_email`: one person, one account (unique)."""
    name: Mapped[str | None] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(255), info=SECRET)
    role: Mapped[str] = mapped_column(String(5), default=Role.USER)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class Session(Base):
    """A sign-in: one family of refresh tokens (RFC 9700 §4.14.2), in one row through all its
    rotations.

    The row holds the current refresh token and its parent as SHA-256, so a copy of the database
    signs nobody in. Any other signed token of this family is older, so it was replayed.
    """

    __tablename__ = "refresh_tokens"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_id: Mapped[UUID] = mapped_column(Uuid, default=uuid4)
    token_hash: Mapped[str] = mapped_column(String(64), info=SECRET)
    parent_hash: Mapped[str | None] = mapped_column(String(64), info=SECRET)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    rotated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """Fixed at sign-in; no rotation moves it (ASVS 5.0 7.3.2)."""
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_reason: Mapped[str | None] = mapped_column(String(32))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    ip_address: Mapped[str | None] = mapped_column(String(45))


class PasswordReset(Base):
    """A reset link that was mailed: its SHA-256, valid once and for an hour."""

    __tablename__ = "password_resets"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AccountEvent(Base):
    """What happened to an account: one of `SecurityEvent`, kept for 90 days."""

    __tablename__ = "account_events"
    __table_args__ = (Index("ix_account_events_user_id", "user_id", "created_at"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    email_hash: Mapped[str | None] = mapped_column(String(64), info=SECRET)
    """The SHA-256 of the account's address, in place of its id, after the account is deleted. Then
    no trace of a client is left, either."""
    event: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    session_id: Mapped[UUID | None] = mapped_column(Uuid)
    """No foreign key: the event outlives the session."""
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    request_id: Mapped[str | None] = mapped_column(String(64))
    actor: Mapped[str | None] = mapped_column(String(100))
    """Set if somebody changed another person's account: "admin <id>" or "operator <name>"."""
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
