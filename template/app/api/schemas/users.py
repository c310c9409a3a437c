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
    """An address, or left out (which is not the same as empty); never null."""
    current_password: Password | None = None
    """Needed for another address, if EMAIL_CHANGE asks for more than the session."""


class ChangePasswordInput(Input):
    current_password: Password
    new_password: NewPassword


class LeaveInput(Input):
    current_password: Password


class UpdateUserInput(Input):
    # Left out, each stays as it is; never null. Strictness would ask JSON for a member of the enum.
    role: Annotated[Role, Field(strict=False)] = Field(default_factory=lambda: Role.USER)
    is_active: bool = Field(default_factory=bool)


class PageQuery(BaseModel):
    """Unknown parameters are refused: an ignored filter would show everybody."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100)
    offset: int = Field(0, ge=0, le=2**31 - 1)


class UserQuery(PageQuery):
    email: Email | None = None


class UserSummary(Output):
    id: UUID
    email: str = Field(examples=["ada@example.com"])
    name: str | None = Field(examples=["Ada Lovelace"])
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
