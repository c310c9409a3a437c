"""E-mail addresses: each mailbox has one spelling."""

import re
from typing import Final

from email_validator import EmailNotValidError, validate_email

from app.config import Settings
from app.errors import AppError, ErrorCode

MAX_EMAIL: Final = 254
"""The longest address that mail can be sent to (RFC 5321 §4.5.3.1.3)."""


_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)
"""Invisible letters, marks and signs (Unicode's default ignorables, and blanks of scripts). With
them, two addresses that look alike would be two accounts."""


def canonical_email(address: str) -> str:
    """Trim, check and lower-case an address; `"Bob" <b@x.co>` is not one.

    Raises:
        ValueError: it is not an e-mail address.
    """
    address = address.strip()
    if len(address) > MAX_EMAIL:  # before the checks, which normalise piece by piece
        raise ValueError("must be an e-mail address")
    try:
        # Whether the domain receives mail is not asked: registering must not need the network.
        # `test_environment` takes addresses under .test too, which are nobody's (RFC 2606 §2).
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("must be an e-mail address") from None
    if _INVISIBLE.search(checked.normalized):
        raise ValueError("must be an e-mail address")
    return checked.normalized.lower()


def refuse_unmailable(settings: Settings, email: str) -> None:
    """If EMAIL_ASCII_ONLY says so, refuse an address with more than ASCII before the @: only a mail
    server with SMTPUTF8 takes it. A domain always has an ASCII form.

    Raises:
        AppError: 400 validation_failed.
    """
    if settings.email_ascii_only and not email.rpartition("@")[0].isascii():
        problem = "must have only ASCII characters before the @: mail can't be sent to it here"
        details = [{"field": "email", "message": problem}]
        raise AppError(400, ErrorCode.VALIDATION_FAILED, f"The e-mail address {problem}.", details)


def masked(email: str) -> str:
    """Just enough for its owner to recognise an address: `a***@example.com`."""
    name, _, domain = email.rpartition("@")
    labels = domain.split(".")
    below = "***." if len(labels) > 2 else ""  # words could stand there
    return f"{name[:1]}***@{below}{'.'.join(labels[-2:])}"
