"""Leaving for good (GDPR article 17): the account, and everything that refers to it."""

from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import messages
from app.accounts.models import Role, User
from app.accounts.password_change import confirm_password
from app.accounts.sessions import SessionUser, SignedInUser, lock_signed_in_user, lock_user
from app.errors import AppError, ErrorCode
from app.security_events import SecurityEvent
from app.services import Services

logger = structlog.get_logger()


async def leave(services: Services, user: SessionUser, current_password: str) -> None:
    """Delete the account of who asks, with everything that refers to it.

    Raises:
        AppError: 400 wrong_password; 409 last_admin.
        InvalidToken: the session has ended meanwhile.
        TooManyRequests: too many wrong passwords for this account.
    """
    await confirm_password(services, user, current_password)
    async with services.database.transaction() as db:
        await _lock_admins(db, user.id)
        await lock_signed_in_user(db, user)
        await _delete(db, user.id)
    _say_goodbye(services, user.id, user.email)


async def delete_user(services: Services, user_id: UUID, *, by: SignedInUser | None = None) -> str:
    """Delete somebody's account; returns the address that it had.

    Args:
        by: the admin who asks; None is an operator.

    Raises:
        AppError: 404 not_found; 403 forbidden, `by` is no admin any more; 409 last_admin.
    """
    async with services.database.transaction() as db:
        await _lock_admins(db, user_id, *([by.id] if by else []))
        if by is not None and (await lock_signed_in_user(db, by)).role != Role.ADMIN:
            raise AppError(403, ErrorCode.FORBIDDEN, "Only admins may do this.")
        user = await lock_user(db, user_id)
        if user is None:
            raise AppError(404, ErrorCode.NOT_FOUND, "There is no such user.")
        email = user.email
        await _delete(db, user_id)
    _say_goodbye(services, user_id, email)
    return email


async def _lock_admins(db: AsyncSession, *others: UUID) -> None:
    """Of two admins who leave at once, one must stay. In one order, or they would wait for each
    other."""
    rows = select(User.id).where((User.role == Role.ADMIN) | User.id.in_(others))
    await db.execute(rows.order_by(User.id).with_for_update())


async def _delete(db: AsyncSession, user_id: UUID) -> None:
    """Delete a user who is locked; what refers to the row goes with it, by ON DELETE CASCADE."""
    admins = select(User.id).where(User.role == Role.ADMIN, User.is_active)
    if (await db.scalars(admins)).all() == [user_id]:
        message = "This is the last admin: make another one first."
        raise AppError(409, ErrorCode.LAST_ADMIN, message)
    await db.execute(delete(User).where(User.id == user_id))


def _say_goodbye(services: Services, user_id: UUID, email: str) -> None:
    logger.info(SecurityEvent.USER_DELETED, user_id=str(user_id))
    services.outbox.submit(messages.account_deleted(email, services.settings.app_name))
