"""Answers of `/api/users/…/events`."""

from typing import Any, Self
from uuid import UUID

from app.api.schemas.base import Output
from app.api.schemas.fields import Timestamp
from app.foundation.database import AnyRow


class OwnEvent(Output):
    """As the owner of the account sees it."""

    id: UUID
    event: str
    created_at: Timestamp
    ip_address: str | None
    user_agent: str | None
    session_id: UUID | None
    actor: str | None
    """"admin" or "operator", if somebody else did it. The owner does not see which one, or from
    where."""
    details: dict[str, Any]

    @classmethod
    def of(cls, row: AnyRow) -> Self:
        own = cls.model_validate(row)
        if own.actor is None:
            return own
        hidden = {"ip_address": None, "user_agent": None, "session_id": None}
        return own.model_copy(update={**hidden, "actor": own.actor.partition(" ")[0]})


class EventInfo(OwnEvent):
    request_id: str | None


class OwnEventPage(Output):
    events: list[OwnEvent]
    total: int
    limit: int
    offset: int


class EventPage(Output):
    events: list[EventInfo]
    total: int
    limit: int
    offset: int
