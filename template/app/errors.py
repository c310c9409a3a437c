"""The one error format: every error looks like this, from any part of the API.

    {"error": {"code": "<machine_readable>", "message": "<for people>",
               "details"?: [{"field": "...", "message": "..."}]}}

`ErrorCode` lists every code there is; docs/api.md documents each, and a test compares the two.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse


class ErrorCode(StrEnum):
    """Machine-readable codes. Clients branch on these, so a code never changes its meaning."""

    VALIDATION_FAILED = "validation_failed"
    INVALID_JSON = "invalid_json"
    INVALID_HOST = "invalid_host"
    UPGRADE_UNSUPPORTED = "upgrade_unsupported"
    CORS_REJECTED = "cors_rejected"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  # nosec B105
    INVALID_CONFIRMATION = "invalid_confirmation"
    INVALID_RESET_TOKEN = "invalid_reset_token"  # noqa: S105  # nosec B105
    UNAUTHENTICATED = "unauthenticated"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  # nosec B105
    REFRESH_SUPERSEDED = "refresh_superseded"
    INVALID_CREDENTIALS = "invalid_credentials"
    FORBIDDEN = "forbidden"
    CROSS_SITE_REJECTED = "cross_site_rejected"
    FRESH_LOGIN_REQUIRED = "fresh_login_required"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    EMAIL_TAKEN = "email_taken"
    LAST_ADMIN = "last_admin"
    LIMIT_REACHED = "limit_reached"
    OWN_ACCOUNT = "own_account"
    ALREADY_EXISTS = "already_exists"
    PRECONDITION_FAILED = "precondition_failed"
    BODY_TOO_LARGE = "body_too_large"
    ADDRESS_TOO_LONG = "address_too_long"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RATE_LIMITED = "rate_limited"
    HEADERS_TOO_LARGE = "headers_too_large"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"


class AppError(HTTPException):
    """An error meant for the client.

    It is a Starlette `HTTPException`, so it passes through every layer of the framework unchanged.
    Only `error_response` turns one into bytes.
    """

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        details: Sequence[Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        HTTPException.__init__(self, int(status), message, headers)
        self.code = code
        self.details = details


class Unavailable(AppError):
    """503: the database or another service does not answer now. The client may try again."""

    def __init__(
        self,
        message: str,
        details: Sequence[Mapping[str, str]] | None = None,
        *,
        retry_after: int = 1,
    ) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            ErrorCode.UNAVAILABLE,
            message,
            details,
            headers={"Retry-After": str(retry_after)},
        )


def limit_reached(most: int, things: str) -> AppError:
    """409: a user has as many of these as they may (ASVS 5.0 15.2.2)."""
    message = f"There are {most} {things} already; remove one first."
    return AppError(409, ErrorCode.LIMIT_REACHED, message)


def error_response(error: AppError) -> JSONResponse:
    """Render an error in the one format."""
    body: dict[str, object] = {"code": error.code, "message": error.detail}
    if error.details is not None:
        body["details"] = error.details
    return JSONResponse({"error": body}, error.status_code, headers=error.headers)
