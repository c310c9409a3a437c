"""Bodies of `/api/users/me/sessions`."""

from uuid import UUID

from app.api.schemas.base import Output
from app.api.schemas.fields import Timestamp


class SessionInfo(Output):
    id: UUID
    created_at: Timestamp
    last_used_at: Timestamp
    expires_at: Timestamp
    user_agent: str | None
    ip_address: str | None
    current: bool


class SessionList(Output):
    sessions: list[SessionInfo]
