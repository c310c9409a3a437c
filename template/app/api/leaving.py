"""Exporting one's data, and deleting one's account; admins delete others too."""

from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.accounts import leaving
from app.accounts.export import export
from app.api.dependencies import AdminUser, CurrentSessionUser, ServicesDep
from app.api.schemas import Message
from app.api.schemas.users import LeaveInput
from app.errors import AppError, ErrorCode
from app.foundation.http.openapi import BODY_ERRORS, errors, says
from app.foundation.limits import hashes_password

router = APIRouter(prefix="/api/users", tags=["users"])


@router.delete(
    "/me",
    responses=errors(
        *(*BODY_ERRORS, 401, 429, 503),
        wrong_password=400,
        fresh_login_required=403,
        last_admin=409,
    )
    | says("Account deleted"),
)
@hashes_password
async def leave(body: LeaveInput, user: CurrentSessionUser, services: ServicesDep) -> Message:
    """Delete the signed-in user's account for good. A wrong current password is a 400."""
    await leaving.leave(services, user, body.current_password)
    return Message(message="Account deleted")


@router.get("/me/export", responses=errors(401, 429, 503, fresh_login_required=403))
async def export_user(user: CurrentSessionUser, services: ServicesDep) -> StreamingResponse:
    """All stored data of the signed-in user: the rows of each table."""
    disposition = {"Content-Disposition": 'attachment; filename="export.json"'}
    pieces = export(services, user.id)
    return StreamingResponse(pieces, media_type="application/json", headers=disposition)


@router.delete(
    "/{user_id}",
    responses=errors(400, 401, 403, 404, 429, 503, own_account=409, last_admin=409)
    | says("User deleted"),
)
async def delete_user(user_id: UUID, admin: AdminUser, services: ServicesDep) -> Message:
    """Delete a user's account for good."""
    if user_id == admin.id:
        raise AppError(409, ErrorCode.OWN_ACCOUNT, "Ask another admin to delete your account.")
    await leaving.delete_user(services, user_id, by=admin)
    return Message(message="User deleted")
