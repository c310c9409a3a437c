"""`/api/auth`: registering, signing in and out, and resetting a password."""

from fastapi import APIRouter, Request

from app.accounts import email_change, password_reset, registration, sessions, sign_in
from app.accounts.models import User
from app.api.dependencies import AnyUser, DeviceDep, ServicesDep, not_signed_in
from app.api.schemas import Message
from app.api.schemas.auth import (
    ConfirmEmailInput,
    ForgotPasswordInput,
    LoginInput,
    RefreshInput,
    RegisterInput,
    ResetPasswordInput,
    SignedIn,
    Tokens,
)
from app.api.schemas.users import UserSummary
from app.foundation.http.openapi import BODY_ERRORS, errors, says
from app.foundation.limits import general_limit, hashes_password, rate_limit

router = APIRouter(prefix="/api/auth", tags=["auth"])


@router.post(
    "/register",
    status_code=201,
    responses=errors(*BODY_ERRORS, 429, 503, email_taken=409),
)
@rate_limit("RATE_LIMIT_AUTH", by="address")
@hashes_password
async def register(body: RegisterInput, services: ServicesDep, device: DeviceDep) -> SignedIn:
    """Create an account and sign in."""
    return _signed_in(
        *await registration.register(services, body.email, body.password, body.name, device)
    )


@router.post("/login", responses=errors(*BODY_ERRORS, 429, 503, invalid_credentials=401))
@rate_limit("RATE_LIMIT_AUTH", by="address")
@hashes_password
async def login(body: LoginInput, services: ServicesDep, device: DeviceDep) -> SignedIn:
    """Sign in with e-mail and password."""
    return _signed_in(*await sign_in.sign_in(services, body.email, body.password, device))


def _signed_in(user: User, tokens: sessions.TokenPair) -> SignedIn:
    return SignedIn(
        user=UserSummary.model_validate(user),
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
    )


@router.post(
    "/refresh",
    responses=errors(*BODY_ERRORS, 429, 503, invalid_token=401, refresh_superseded=401),
)
@general_limit(by="refresh_token")
async def refresh(body: RefreshInput, services: ServicesDep, device: DeviceDep) -> Tokens:
    """Exchange a refresh token for a new pair. It works once; a replay ends the session.

    If two tabs refresh at once, one gets the pair and the other 401 `refresh_superseded`; it then
    uses the pair that the first has stored.
    """
    tokens = await sessions.refresh(services, body.refresh_token, device)
    return Tokens(access_token=tokens.access_token, refresh_token=tokens.refresh_token)


@router.post(
    "/logout",
    responses=errors(*BODY_ERRORS, 401, 429, 503) | says("Logged out"),
    openapi_extra={"security": [{}]},  # or none
)
@general_limit(by="refresh_token")
async def logout(
    body: RefreshInput, user: AnyUser, request: Request, services: ServicesDep
) -> Message:
    """End this session, and that of the refresh token.

    The refresh token alone is enough, for example after the access token has expired.
    """
    if isinstance(user, sessions.SessionUser):
        await sessions.sign_out(services, user, body.refresh_token)
    elif not await sessions.sign_out_with_refresh_token(services, body.refresh_token):
        raise not_signed_in(request)
    return Message(message="Logged out")


@router.post(
    "/forgot-password", responses=errors(*BODY_ERRORS, 429, 503) | says("Reset email sent")
)
@rate_limit("RATE_LIMIT_PASSWORD_RESET", by="address")
async def forgot_password(body: ForgotPasswordInput, services: ServicesDep) -> Message:
    """Mail a reset link, if the address has an account. The answer is always the same."""
    await password_reset.request_password_reset(services, body.email)
    return Message(message="Reset email sent")


@router.post(
    "/reset-password",
    responses=errors(*BODY_ERRORS, 429, 503, invalid_reset_token=400)
    | says("Password reset successful"),
)
@rate_limit("RATE_LIMIT_PASSWORD_RESET", by="address")
@hashes_password
async def reset_password(body: ResetPasswordInput, services: ServicesDep) -> Message:
    """Set a new password with the token from the mail. Every session ends."""
    await password_reset.reset_password(services, body.token, body.new_password)
    return Message(message="Password reset successful")


@router.post(
    "/confirm-email",
    responses=errors(*BODY_ERRORS, 429, 503, invalid_confirmation=400, email_taken=409)
    | says("Email changed"),
)
@rate_limit("RATE_LIMIT_AUTH", by="address")
async def confirm_email(body: ConfirmEmailInput, services: ServicesDep) -> Message:
    """Change the e-mail address with the token from the mail, if EMAIL_CHANGE asks for one."""
    await email_change.confirm(services, body.token)
    return Message(message="Email changed")
