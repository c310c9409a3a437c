"""Bodies of `/api/users`."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.accounts.models import Role
from app.api.schemas.base import Input, Output
from app.api.schemas.fields import Email, Name, NewPassword, Password, Timestamp


class UpdateProfileInput(Input):
    name: Name | None = None
    """null forgets the name."""
    email: Email = Field(default_factory=str)
    """Left out, which is not the same as empty, or an address; never null."""
    current_password: Password | None = None
    """For another address, where EMAIL_CHANGE asks for more than the session."""


class ChangePasswordInput(Input):
    current_password: Password
    new_password: NewPassword


class UpdateUserInput(Input):
    # Strictness would ask JSON for a member of the enum.
    role: Annotated[Role, Field(strict=False)] | None = None
    is_active: bool | None = None


class PageQuery(BaseModel):
    """A parameter that is not known here is refused: a filter that is ignored shows everybody."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100)
    offset: int = Field(0, ge=0, le=2**31 - 1)


class UserSummary(Output):
    id: UUID
    email: str
    name: str | None
    role: Role


class Profile(UserSummary):
    created_at: Timestamp


class UpdatedProfile(UserSummary):
    updated_at: Timestamp


class UserInfo(Profile):
    is_active: bool
    updated_at: Timestamp


class UserPage(Output):
    users: list[UserInfo]
    total: int
    limit: int
    offset: int
