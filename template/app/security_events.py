"""The names of the events that an auditor looks for. Add your own here."""

from enum import StrEnum
from typing import Final


class SecurityEvent(StrEnum):
    """What an auditor looks for (ASVS v5.0.0-16.3). Log these with ids, never with an e-mail
    body, a password or a token. For an account's events, use `app.accounts.events`."""

    USER_REGISTERED = "auth.user_registered"
    USER_CREATED = "auth.user_created"
    LOGIN_SUCCEEDED = "auth.login_succeeded"
    LOGIN_FAILED = "auth.login_failed"
    LOGGED_OUT = "auth.logged_out"
    REFRESH_REFUSED = "auth.refresh_refused"
    REFRESH_REUSED = "auth.refresh_reused"
    REFRESH_SUPERSEDED = "auth.refresh_superseded"
    TOKEN_REFUSED = "auth.token_refused"  # noqa: S105  # nosec B105
    TOKEN_ISSUED = "auth.token_issued"  # noqa: S105  # nosec B105
    SESSIONS_REVOKED = "auth.sessions_revoked"
    PASSWORD_RESET_REQUESTED = "auth.password_reset_requested"  # noqa: S105  # nosec B105
    PASSWORD_RESET = "auth.password_reset"  # noqa: S105  # nosec B105
    PASSWORD_CHANGED = "auth.password_changed"  # noqa: S105  # nosec B105
    PASSWORD_CHANGE_FAILED = "auth.password_change_failed"  # noqa: S105  # nosec B105
    EMAIL_CHANGED = "auth.email_changed"
    ROLE_CHANGED = "auth.role_changed"
    USER_ACTIVATED = "auth.user_activated"
    USER_DELETED = "auth.user_deleted"
    USER_DEACTIVATED = "auth.user_deactivated"
    ACCESS_DENIED = "auth.access_denied"
    RATE_LIMIT_EXCEEDED = "rate_limit.exceeded"
    HOST_REFUSED = "http.host_refused"
    ORIGIN_REFUSED = "http.origin_refused"
    OPERATOR_COMMAND = "operator.command"
    MAIL_DROPPED = "mail.dropped"
    MAIL_GIVEN_UP = "mail.given_up"


WARNINGS: Final = {
    SecurityEvent.LOGIN_FAILED,
    SecurityEvent.REFRESH_REUSED,
    SecurityEvent.PASSWORD_CHANGE_FAILED,
}
"""Logged as warnings."""
