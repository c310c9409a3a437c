"""E-mail addresses: one spelling a mailbox."""

from typing import Final

from email_validator import EmailNotValidError, validate_email

MAX_EMAIL: Final = 254
"""The longest address that mail can be sent to (RFC 5321 §4.5.3.1.3)."""


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
    return checked.normalized.lower()
