"""The devices on which a user is signed in, and signing out one or all of them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts import sessions
from app.accounts.models import RevokedReason
from app.api.dependencies import CurrentSessionUser, ServicesDep
from app.api.schemas import Message
from app.api.schemas.sessions import SessionInfo, SessionList, SessionsQuery
from app.errors import AppError, ErrorCode
from app.foundation.http.openapi import errors, says

router = APIRouter(tags=["sessions"])


@router.get(
    "/api/users/me/sessions", responses=errors(400, 401, 429, 503, fresh_login_required=403)
)
async def list_sessions(
    user: CurrentSessionUser, services: ServicesDep, page: Annotated[SessionsQuery, Query()]
) -> SessionList:
    """The signed-in user's sessions, the latest used first."""
    rows = await sessions.list_sessions(services, user.id, user.session_id, page.limit, page.offset)
    return SessionList(sessions=[SessionInfo.model_validate(row) for row in rows])


@router.delete(
    "/api/users/me/sessions/{session_id}",
    responses=errors(400, 401, 404, 429, 503, fresh_login_required=403) | says("Session revoked"),
)
async def revoke_session(
    session_id: UUID, user: CurrentSessionUser, services: ServicesDep
) -> Message:
    """Sign one device out."""
    reason = RevokedReason.REVOKED_BY_USER
    if not await sessions.revoke_session(services, user.id, session_id, reason):
        raise AppError(404, ErrorCode.NOT_FOUND, "You have no such session.")
    return Message(message="Session revoked")


@router.post(
    "/api/auth/logout-all",
    responses=errors(401, 429, 503, fresh_login_required=403) | says("Logged out everywhere"),
)
async def logout_all(user: CurrentSessionUser, services: ServicesDep) -> Message:
    """End every session of the signed-in user."""
    await sessions.revoke_all_sessions(services, user.id, RevokedReason.REVOKED_BY_USER)
    return Message(message="Logged out everywhere")
