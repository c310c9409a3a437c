"""Leaving for good (GDPR article 17): the account, and everything that refers to it."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.administration import lock_for
from app.accounts.events import keep_without_account, record
from app.accounts.guessing import check_own_password
from app.accounts.mails import MailKind
from app.accounts.models import Role, User
from app.accounts.sessions import SessionUser, SignedInUser, lock_signed_in_user
from app.accounts.tokens import token_hash
from app.errors import AppError, ErrorCode
from app.security_events import SecurityEvent
from app.services import Services


async def leave(services: Services, user: SessionUser, current_password: str) -> None:
    """Delete the caller's account, and everything that refers to it.

    Raises:
        AppError: 400 wrong_password; 409 last_admin.
        InvalidToken: the session has ended meanwhile.
        TooManyRequests: too many wrong passwords for this account.
    """
    await check_own_password(services, user, current_password)
    async with services.database.transaction() as db:
        await _lock_admins(db, user.id)
        await _delete(services, db, await lock_signed_in_user(db, user))


async def delete_user(services: Services, user_id: UUID, *, by: SignedInUser | None = None) -> str:
    """Delete somebody's account; returns the address that it had.

    Args:
        by: the calling admin; None is an operator.

    Raises:
        AppError: 404 not_found; 403 forbidden, `by` is no admin any more; 409 last_admin.
    """
    async with services.database.transaction() as db:
        await _lock_admins(db, user_id, *([by.id] if by else []))
        user = await lock_for(db, by, user_id)
        await _delete(services, db, user)
    return user.email


async def _lock_admins(db: AsyncSession, *others: UUID) -> None:
    """If two admins leave at once, one must stay. Lock in one order, or they would wait for each
    other."""
    rows = select(User.id).where((User.role == Role.ADMIN) | User.id.in_(others))
    await db.execute(rows.order_by(User.id).with_for_update())


async def _delete(services: Services, db: AsyncSession, user: User) -> None:
    """Delete a user who is locked; what refers to the row goes with it, by ON DELETE CASCADE.

    The account's events stay, with a hash of the address. So does a warning to an earlier address:
    the account may be deleted by a thief.
    """
    admins = select(User.id).where(User.role == Role.ADMIN, User.is_active)
    if (await db.scalars(admins)).all() == [user.id]:
        message = "This is the last admin: make another one first."
        raise AppError(409, ErrorCode.LAST_ADMIN, message)
    await services.outbox.queue.detach(db, user.id, user.email)
    await services.outbox.promise(db, MailKind.ACCOUNT_DELETED, user.email, user_id=None)
    record(db, SecurityEvent.USER_DELETED, user.id, email_hash=token_hash(user.email))
    await keep_without_account(db, user)
    await db.execute(delete(User).where(User.id == user.id))
