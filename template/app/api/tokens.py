"""`/api/users/me/tokens`: personal access tokens, by which scripts and CI sign in."""

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter

from app.api.dependencies import CurrentSessionUser, ServicesDep
from app.api.schemas import Message
from app.api.schemas.tokens import NewToken, NewTokenInput, TokenInfo, TokenList
from app.errors import AppError, ErrorCode
from app.foundation.http.openapi import BODY_ERRORS, errors, says
from app.personal_tokens import tokens

router = APIRouter(prefix="/api/users/me/tokens", tags=["tokens"])

bearer_kind = tokens.PersonalBearer()


@router.post(
    "",
    status_code=201,
    responses=errors(*BODY_ERRORS, 401, 429, 503, fresh_login_required=403, limit_reached=409),
)
async def create_token(
    body: NewTokenInput, user: CurrentSessionUser, services: ServicesDep
) -> NewToken:
    """Make a token. It is shown this once."""
    lifetime = timedelta(days=body.expires_in_days)
    made, text = await tokens.create_token(
        services, user.id, body.name, lifetime, read_only=body.read_only, by=user
    )
    return NewToken(**TokenInfo.model_validate(made).model_dump(), token=text)


@router.get("", responses=errors(401, 429, 503, fresh_login_required=403))
async def list_tokens(user: CurrentSessionUser, services: ServicesDep) -> TokenList:
    """Which tokens there are, without what is secret of them."""
    rows = await tokens.list_tokens(services, user.id)
    return TokenList(tokens=[TokenInfo.model_validate(row) for row in rows])


@router.delete(
    "/{token_id}",
    responses=errors(400, 401, 404, 429, 503, fresh_login_required=403) | says("Token revoked"),
)
async def revoke_token(token_id: UUID, user: CurrentSessionUser, services: ServicesDep) -> Message:
    """End a token, from the next request on."""
    if not await tokens.revoke_token(services, user.id, token_id):
        raise AppError(404, ErrorCode.NOT_FOUND, "You have no such token.")
    return Message(message="Token revoked")
