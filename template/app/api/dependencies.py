"""What endpoints depend on: the services, the signed-in user, the client's device."""

from typing import Annotated, Protocol

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from pydantic import ValidationError
from starlette.types import Scope

from app.accounts.administration import only_admins
from app.accounts.models import Role
from app.accounts.sessions import (
    Device,
    SessionUser,
    SignedInUser,
    find_signed_in_user,
    fresh_login_required,
)
from app.accounts.tokens import Claims, InvalidToken, TokenSigner, TokenType
from app.api.schemas.auth import RefreshInput
from app.errors import AppError, ErrorCode
from app.foundation.caller import bind, user_agent
from app.foundation.http.headers import request_header
from app.foundation.limits.read_ahead import READ_AHEAD
from app.foundation.log.sampling import log_sampled
from app.security_events import SecurityEvent
from app.services import Services

SAFE_METHODS = frozenset(("GET", "HEAD"))

logger = structlog.get_logger()

_CLAIMS = "app.access_claims"
"""The place of a request's verified claims: the limiter needs them first, then the endpoint."""

_OTHER_BEARER = "app.other_bearer"


def access_claims(scope: Scope, tokens: TokenSigner) -> Claims | None:
    """The claims of a valid access token in the Authorization header (RFC 6750 §2.1), or None."""
    if _CLAIMS not in scope:
        scope[_CLAIMS] = _read_claims(scope, tokens)
    claims: Claims | None = scope[_CLAIMS]
    return claims


def _read_claims(scope: Scope, tokens: TokenSigner) -> Claims | None:
    token = _bearer_token(scope)
    try:
        return tokens.read(token, TokenType.ACCESS) if "." in token else None  # else it is no JWT
    except InvalidToken:
        return None


def _bearer_token(scope: Scope) -> str:
    """The text after "Bearer" in the Authorization header; empty if it says something else."""
    header = request_header(scope, b"authorization") or b""
    scheme, _, token = header.decode("latin-1").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


class BearerKind(Protocol):
    """A kind of bearer token other than a session's access token. A module of `app/api/` offers one
    under the name `bearer_kind`.
    """

    prefix: str
    """The start of such a token."""

    async def find_user(self, services: Services, token: str) -> SignedInUser | None:
        """Its user, if any."""


async def user_of_other_bearer(scope: Scope, services: Services) -> SignedInUser | None:
    """The user of another kind of bearer token; the limiter asks for it once."""
    if _OTHER_BEARER not in scope:
        token = _bearer_token(scope)
        kinds: list[BearerKind] = scope["app"].state.bearer_kinds
        kind = next((kind for kind in kinds if token.startswith(kind.prefix)), None)
        scope[_OTHER_BEARER] = await kind.find_user(services, token) if kind else None
    user: SignedInUser | None = scope[_OTHER_BEARER]
    return user


def refresh_claims(scope: Scope, tokens: TokenSigner) -> Claims | None:
    """The claims of a valid refresh token in the body that the limiter has read ahead, or None."""
    try:
        body = RefreshInput.model_validate_json(scope.get(READ_AHEAD, b""))
        return tokens.read(body.refresh_token, TokenType.REFRESH)
    except (ValidationError, InvalidToken):
        return None


# Dependencies are `async def` even where they await nothing: FastAPI sends a plain `def` through a
# thread, which costs a read a quarter more CPU and two waits for a thread.
async def get_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


bearer = HTTPBearer(
    bearerFormat="JWT", auto_error=False, description="The access token from login."
)


async def find_current_user(
    request: Request, services: ServicesDep, _: Annotated[object, Depends(bearer)]
) -> SignedInUser | None:
    """The user of the access token; None if there is no token, or no valid one."""
    claims = access_claims(request.scope, services.tokens)
    if claims is None:
        return await user_of_other_bearer(request.scope, services)
    user = await find_signed_in_user(services, claims)
    if user is not None:
        bind(session_id=user.session_id)
    return user


AnyUser = Annotated[SignedInUser | None, Depends(find_current_user)]


async def get_current_user(
    request: Request, services: ServicesDep, _: Annotated[object, Depends(bearer)]
) -> SignedInUser:
    """The user of the access token, if both the user and the session still exist.

    Raises:
        AppError: 401 with the challenge of RFC 6750 §3; 403, the token may only read.
    """
    user = await find_current_user(request, services, _)
    if user is None:
        raise not_signed_in(request)
    if request.method not in SAFE_METHODS and not user.may_write():
        raise AppError(403, ErrorCode.FORBIDDEN, "This token may only read.")
    return user


def not_signed_in(request: Request) -> AppError:
    """401, with a challenge that says whether there was a token."""
    if "authorization" in request.headers:
        log_sampled(SecurityEvent.TOKEN_REFUSED, **_whose(request.scope))
        return InvalidToken()
    return AppError(
        401,
        ErrorCode.UNAUTHENTICATED,
        "Sign in first: send an access token as `Authorization: Bearer <token>`.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _whose(scope: Scope) -> dict[str, str]:
    """The user and session of a refused token, if it is genuine: then its session has ended."""
    claims: Claims | None = scope.get(_CLAIMS)
    if claims is None:
        return {}
    return {"user_id": str(claims.user_id), "session_id": str(claims.session_id)}


CurrentUser = Annotated[SignedInUser, Depends(get_current_user)]


async def get_session_user(user: CurrentUser) -> SessionUser:
    """The user who signed in with a password, for tasks that no other token may do.

    Raises:
        AppError: 403 fresh_login_required.
    """
    if not isinstance(user, SessionUser):
        raise fresh_login_required()
    return user


CurrentSessionUser = Annotated[SessionUser, Depends(get_session_user)]


async def get_admin(user: CurrentUser) -> SignedInUser:
    """
    Raises:
        AppError: 403 for everybody but admins.
    """
    if user.role != Role.ADMIN:
        logger.warning(SecurityEvent.ACCESS_DENIED, user_id=str(user.id))
        raise only_admins()
    bind(actor=f"admin {user.id}")
    return user


AdminUser = Annotated[SignedInUser, Depends(get_admin)]


async def get_device(request: Request) -> Device:
    """The client as its session will show it: what it says about itself, printable and short."""
    return Device(ip_address=request.state.client_address, user_agent=user_agent())


DeviceDep = Annotated[Device, Depends(get_device)]
