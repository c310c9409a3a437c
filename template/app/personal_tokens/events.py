"""The events of this part, beside those of `app/security_events.py`."""

from enum import StrEnum


class TokenEvent(StrEnum):
    CREATED = "auth.personal_token_created"
    REVOKED = "auth.personal_token_revoked"
