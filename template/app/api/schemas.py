"""What goes in and out, in JSON. Names are camelCase outside and snake_case inside."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from app.accounts.emails import MAX_EMAIL, canonical_email
from app.accounts.models import Role
from app.accounts.passwords import (
    MAX_BYTES,
    MAX_CODE_POINTS,
    MIN_LENGTH,
    password_problem,
)
from app.errors import ErrorCode

_NAME = r"^(?=.*\S)[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+$"
"""No line breaks, no terminal escapes, and no overrides of the writing direction. The joiners of
Persian and of emoji, and the spaces of every script, belong to names."""

CERTAINLY_ACCEPTED = (
    r"^(?=[\s\S]*[A-Z])(?=[\s\S]*[a-z])(?=[\s\S]*[0-9])"
    r"(?:[\u0001-\u007f]{8,72}|[\u0001-\u07ff]{8,36}|[^\u0000]{8,18})$"
)
"""For clients that generate passwords: whatever matches fits into 72 bytes and is accepted. So is
more, such as the letters of other scripts and mixtures; `password_problem` has the last word."""


def _harmless(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ValueError("must not contain control characters")
    return name


def _encodable(text: str) -> str:
    r"""Refuse lone surrogates, which JSON can spell ("\ud800") and no encoding can hold.

    Only the start of a long text is looked at: none is ever stored, or hashed.
    """
    try:
        text[: MAX_CODE_POINTS + 1].encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


def _acceptable_password(password: str) -> str:
    if problem := password_problem(password):
        raise ValueError(problem)
    return password


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=MAX_EMAIL),
    AfterValidator(canonical_email),
    Field(json_schema_extra={"format": "email", "example": "ada@example.com"}),
]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_harmless),
    Field(json_schema_extra={"pattern": _NAME, "example": "Ada Lovelace"}),
]
Password = Annotated[
    str,
    AfterValidator(_encodable),
    Field(json_schema_extra={"format": "password"}),
]
"""A password somebody claims to know."""
NewPassword = Annotated[
    str,
    Field(
        description="At least 8 characters, with an upper-case letter, a lower-case letter and a "
        "digit; at most 72 bytes in UTF-8; none of the most common passwords.",
        json_schema_extra={
            "format": "password",
            "minLength": MIN_LENGTH,
            "maxLength": MAX_BYTES,
            "pattern": CERTAINLY_ACCEPTED,
            "example": "Correct-Horse-7",
        },
    ),
    AfterValidator(_encodable),
    AfterValidator(_acceptable_password),
]
Token = Annotated[str, Field(min_length=1)]
Timestamp = Annotated[datetime, AfterValidator(_in_utc)]


class Input(BaseModel):
    """A request body. Fields that are not declared are refused (ASVS 5.0 15.3.3), and so are
    numbers where a text is meant."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, validate_by_name=False
    )

    @model_validator(mode="before")
    @classmethod
    def _keep_one_unknown_field(cls, body: Any) -> Any:
        """One is enough to refuse the body; for each of thousands there would be an error."""
        if not isinstance(body, dict) or len(body) <= len(cls.model_fields):
            return body
        if cls.model_config.get("extra") != "forbid":
            return body
        aliases = [field.validation_alias for field in cls.model_fields.values()]
        names = {*cls.model_fields, *(alias for alias in aliases if isinstance(alias, str))}
        unknown = body.keys() - names
        if len(unknown) < 2 or not all(isinstance(alias, str) for alias in aliases):
            return body
        return {name: body[name] for name in (*(names & body.keys()), unknown.pop())}


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
    email: Email = Field(default_factory=str)
    """Left out, which is not the same as empty, or an address; never null."""


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


class FieldProblem(Output):
    field: str
    message: str


class ErrorBody(Output):
    code: ErrorCode
    message: str
    details: list[FieldProblem] | dict[str, str] | SkipJsonSchema[None] = None
    """Which fields are wrong; or facts by name, as `requestId`. Left out when there are none."""


class Error(Output):
    error: ErrorBody
