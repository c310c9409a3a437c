"""The table of mails that are promised."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.foundation.database import Base, UtcDateTime, utc_now


class QueuedMail(Base):
    """A mail that is owed, or was in the last day. It holds neither text nor link nor token: those
    are made when it is sent, so a copy of the database opens nothing."""

    __tablename__ = "mails"
    __table_args__ = (
        Index("ix_mails_not_before", "on_request", "not_before"),
        Index("ix_mails_recipient", "recipient", "counted_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    kind: Mapped[str] = mapped_column(String(32))
    """Names the file of its text."""
    recipient: Mapped[str] = mapped_column(String(254))
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    """Whose account it tells about. None when that is gone, and when anybody may have asked for it:
    whether there is an account is looked up when it is sent."""
    detail: Mapped[str | None] = mapped_column(String(254))
    """What its text says besides."""
    on_request: Mapped[bool] = mapped_column(default=False)
    """Anybody can ask for it. Where there is no room it is dropped; any other one waits."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    """When it was promised, or will have its place in a mailbox that is full."""
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime, default=utc_now)
    """When it is tried next; while it is sent, when another worker may take it. None: done."""
    attempts: Mapped[int] = mapped_column(default=0)
    counted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it took its place among its mailbox's mails of the hour. None: nothing was sent."""
