"""The table of personal access tokens."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, ForeignKey, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.models import RevokedReason
from app.config import Settings
from app.foundation.database import SECRET, Base, UtcDateTime, utc_now
from app.personal_tokens.settings import TokenSettings

MAX_NAME: Final = 100


class PersonalToken(Base):
    """A token by its SHA-256: a copy of the database signs nobody in."""

    __tablename__ = "personal_tokens"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    prefix: Mapped[str] = mapped_column(String(32))
    """How it begins, so that its owner finds the one that leaked."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    read_only: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    @classmethod
    def expired(cls, now: datetime) -> ColumnElement[bool]:
        """The rows that `purge` deletes."""
        return cls.expires_at < now

    @staticmethod
    def ends_with(settings: Settings) -> set[RevokedReason]:
        """For which reasons the tokens of a user go (`end_credentials`)."""
        reasons = {RevokedReason.DEACTIVATED}
        if settings.part(TokenSettings).personal_tokens_end_with_reset:
            reasons.add(RevokedReason.PASSWORD_RESET)
        return reasons
