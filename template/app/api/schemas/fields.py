"""The kinds of values in bodies: addresses, names, passwords, times."""

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
from app.accounts.names import MAX_NAME, is_harmless
from app.accounts.passwords import MAX_CODE_POINTS, MIN_LENGTH, password_problem


def _harmless(name: str) -> str:
    if not is_harmless(name):
        raise ValueError("must not contain control characters")
    return name


def _encodable(text: str) -> str:
    r"""Refuse lone surrogates: JSON can spell them ("\ud800"), but no encoding can hold them.

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


# A schema must be true of every accepted value, because clients refuse all others unasked.
# Blanks are trimmed and letters of every script are taken, which neither a pattern nor the format
# "email" allows; and engines for patterns differ.

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=MAX_EMAIL),
    AfterValidator(canonical_email),
    WithJsonSchema(
        {
            "type": "string",
            "description": "Blanks around it do not count, nor does the case of its letters.",
            "examples": ["ada@example.com"],
        }
    ),
]

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME),
    AfterValidator(_harmless),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "description": "1 to 100 characters, not counting blanks around it.",
            "examples": ["Ada Lovelace"],
        }
    ),
]

Password = Annotated[str, AfterValidator(_encodable), Field(examples=["Correct-Horse-7"])]
"""A password somebody claims to know."""

NewPassword = Annotated[
    str,
    AfterValidator(_encodable),
    AfterValidator(_acceptable_password),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": MIN_LENGTH,
            "maxLength": MAX_CODE_POINTS,
            "description": "With an upper-case letter, a lower-case letter and a digit; at most "
            "72 bytes in UTF-8; none of the most common passwords.",
            "examples": ["Correct-Horse-7"],
        }
    ),
]

Token = Annotated[str, Field(min_length=1, examples=["eyJhbGciOi…"])]

Timestamp = Annotated[
    datetime,
    PlainSerializer(_in_one_format),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-29T10:59:47.000000Z"]}
    ),
]
