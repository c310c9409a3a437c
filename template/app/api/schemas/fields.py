"""The kinds of values that go in and out: addresses, names, passwords, moments."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from app.accounts.emails import MAX_EMAIL, canonical_email
from app.accounts.passwords import MAX_BYTES, MAX_CODE_POINTS, MIN_LENGTH, password_problem

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


def _in_one_format(moment: datetime) -> str:
    """RFC 3339 in UTC, always with six digits of a second: Swift's decoders and strict ones of
    Java take one format, and Python leaves the digits out where they are zeros."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


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
    str, AfterValidator(_encodable), Field(json_schema_extra={"format": "password"})
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

Timestamp = Annotated[
    datetime,
    PlainSerializer(_in_one_format),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
