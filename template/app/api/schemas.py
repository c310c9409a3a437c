"""What goes in and out, in JSON. Names are camelCase outside and snake_case inside."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)
from pydantic.alias_generators import to_camel

from app.accounts.emails import canonical_email
from app.accounts.models import Role
from app.accounts.passwords import password_problem


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must not contain control characters")
    return text


def _acceptable_password(password: str) -> str:
    if problem := password_problem(password):
        raise ValueError(problem)
    return password


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Email = Annotated[
    str,
    Field(max_length=320, json_schema_extra={"format": "email", "example": "ada@example.com"}),
    AfterValidator(canonical_email),
]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_printable),
    Field(json_schema_extra={"example": "Ada Lovelace"}),
]
Password = Annotated[
    str,
    Field(max_length=1024, json_schema_extra={"format": "password"}),
]
"""A password somebody claims to know."""
NewPassword = Annotated[
    str,
    Field(max_length=1024, json_schema_extra={"format": "password", "minLength": 8}),
    AfterValidator(_acceptable_password),
]
Token = Annotated[str, Field(min_length=1, max_length=4096)]
Timestamp = Annotated[datetime, AfterValidator(_in_utc)]


class Input(BaseModel):
    """A request body. Fields that are not declared are refused (ASVS 5.0 15.3.3), and so are
    numbers where a text is meant."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, validate_by_name=False
    )


class Output(BaseModel):
    """A response body."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, from_attributes=True)


# ---- Requests -------------------------------------------------------------------------------


class RegisterInput(Input):
    email: Email
    password: NewPassword
    name: Name | None = None


class LoginInput(Input):
    email: Email
    password: Password


class RefreshInput(Input):
    refresh_token: Token


class ForgotPasswordInput(Input):
    email: Email


class ResetPasswordInput(Input):
    token: Token
    new_password: NewPassword


class UpdateProfileInput(Input):
    name: Name | None = None
    """null forgets the name."""
    email: Email | None = None
    """Left out or an address, never null."""

    @field_validator("email", mode="before")
    @classmethod
    def _refuse_null(cls, email: object) -> object:
        if email is None:
            raise ValueError("must be an e-mail address")
        return email


class ChangePasswordInput(Input):
    current_password: Password
    new_password: NewPassword


class UpdateUserInput(Input):
    # Strictness would ask JSON for a member of the enum.
    role: Annotated[Role, Field(strict=False)] | None = None
    is_active: bool | None = None


# ---- Responses ------------------------------------------------------------------------------


class Message(Output):
    message: str


class Tokens(Output):
    access_token: str
    refresh_token: str


class UserSummary(Output):
    id: UUID
    email: str
    name: str | None
    role: Role


class SignedIn(Output):
    user: UserSummary
    access_token: str
    refresh_token: str


class Profile(UserSummary):
    created_at: Timestamp


class UpdatedProfile(UserSummary):
    updated_at: Timestamp


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


class UserInfo(Profile):
    is_active: bool
    updated_at: Timestamp


class UserPage(Output):
    users: list[UserInfo]
    total: int
    limit: int
    offset: int


class Health(Output):
    status: str
    timestamp: Timestamp
    version: str


class Readiness(Output):
    status: str
    database: str
    limits: str


class ErrorBody(Output):
    code: str
    message: str
    details: object | None = None


class Error(Output):
    error: ErrorBody
