"""Bodies of `/api/users/me/sessions`."""

from uuid import UUID

from pydantic import Field

from app.api.schemas.base import Output
from app.api.schemas.fields import Timestamp
from app.api.schemas.users import PageQuery


class SessionsQuery(PageQuery):
    limit: int = Field(100, ge=1, le=100)
    """By default, all sessions that a user can have."""


class SessionInfo(Output):
    id: UUID
    created_at: Timestamp
    last_used_at: Timestamp
    expires_at: Timestamp
    user_agent: str | None = Field(examples=["Mozilla/5.0"])
    ip_address: str | None = Field(examples=["203.0.113.7"])
    current: bool


class SessionList(Output):
    sessions: list[SessionInfo]
