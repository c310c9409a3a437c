"""Bodies of `/api/users/me/tokens`."""

from uuid import UUID

from pydantic import Field

from app.api.schemas.base import Input, Output
from app.api.schemas.fields import Name, Timestamp


class NewTokenInput(Input):
    name: Name
    expires_in_days: int = Field(90, ge=1, le=366)
    read_only: bool = False


class TokenInfo(Output):
    id: UUID
    name: str
    prefix: str
    read_only: bool
    created_at: Timestamp
    last_used_at: Timestamp | None
    expires_at: Timestamp


class NewToken(TokenInfo):
    token: str
    """Shown this once."""


class TokenList(Output):
    tokens: list[TokenInfo]
