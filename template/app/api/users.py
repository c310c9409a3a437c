"""`/api/users`: the user's own profile and password; for admins, all users."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts import administration, password_change, profile
from app.accounts.models import User
from app.api.dependencies import (
    AdminUser,
    CurrentSessionUser,
    CurrentUser,
    DeviceDep,
    ServicesDep,
)
from app.api.schemas import Message
from app.api.schemas.users import (
    ChangePasswordInput,
    Profile,
    UpdatedProfile,
    UpdateProfileInput,
    UpdateUserInput,
    UserInfo,
    UserPage,
    UserQuery,
)
from app.errors import AppError, ErrorCode
from app.foundation.http.openapi import BODY_ERRORS, errors, says
from app.foundation.limits import hashes_password

router = APIRouter(prefix="/api/users", tags=["users"])


@router.get("/me", responses=errors(401, 429, 503))
async def read_profile(user: CurrentUser) -> Profile:
    """The signed-in user."""
    return Profile.model_validate(user)


@router.patch(
    "/me",
    responses=errors(
        *BODY_ERRORS,
        401,
        403,
        429,
        503,
        email_taken=409,
        fresh_login_required=403,
        wrong_password=400,
    ),
)
async def update_profile(
    body: UpdateProfileInput, user: CurrentUser, services: ServicesDep, device: DeviceDep
) -> UpdatedProfile:
    """Change name or e-mail; omitted fields stay. Another address may need `currentPassword`."""
    changes = body.model_dump(exclude_unset=True, exclude={"current_password"})
    return UpdatedProfile.model_validate(
        await profile.update_profile(services, user, changes, body.current_password, device)
    )


@router.post(
    "/me/change-password",
    responses=errors(*BODY_ERRORS, 401, 429, 503, wrong_password=400, fresh_login_required=403)
    | says("Password changed"),
)
@hashes_password
async def change_password(
    body: ChangePasswordInput, user: CurrentSessionUser, services: ServicesDep
) -> Message:
    """Set a new password. Every other session ends. A wrong current password is a 400."""
    await password_change.change_password(services, user, body.current_password, body.new_password)
    return Message(message="Password changed")


@router.get("", responses=errors(400, 401, 403, 429, 503))
async def list_users(
    admin: AdminUser,
    services: ServicesDep,
    page: Annotated[UserQuery, Query()],
) -> UserPage:
    """All users, or the one with an address; a page at a time, in order of registration."""
    who = [] if page.email is None else [User.email == page.email]
    users, total = await administration.list_users(services, page.limit, page.offset, *who)
    shown = [UserInfo.model_validate(user) for user in users]
    return UserPage(users=shown, total=total, limit=page.limit, offset=page.offset)


@router.get("/{user_id}", responses=errors(400, 401, 403, 404, 429, 503))
async def read_user(user_id: UUID, admin: AdminUser, services: ServicesDep) -> UserInfo:
    """One user."""
    return UserInfo.model_validate(await administration.find_user(services, user_id))


@router.patch(
    "/{user_id}",
    responses=errors(*BODY_ERRORS, 401, 403, 404, 429, 503, own_account=409),
)
async def update_user(
    user_id: UUID, body: UpdateUserInput, admin: AdminUser, services: ServicesDep
) -> UserInfo:
    """Change a user's role, or activate or deactivate them. Deactivating ends their sessions."""
    if user_id == admin.id:
        raise AppError(409, ErrorCode.OWN_ACCOUNT, "Ask another admin to change your account.")
    changes = body.model_dump(exclude_unset=True)
    user = await administration.update_user(services, user_id, by=admin, **changes)
    return UserInfo.model_validate(user)
