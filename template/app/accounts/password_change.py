"""Changing the password while signed in."""

from sqlalchemy import select

from app.accounts import reset_links
from app.accounts.events import note, record
from app.accounts.mails import MailKind
from app.accounts.models import RevokedReason, Session, User
from app.accounts.sessions import SessionUser, lock_signed_in_user, revoke
from app.accounts.sign_in import count_wrong_password
from app.errors import AppError, ErrorCode
from app.security_events import SecurityEvent
from app.services import Services


async def change_password(
    services: Services, user: SessionUser, current_password: str, new_password: str
) -> None:
    """Set a new password; every other session ends (ASVS 5.0 7.4.3), open reset links too.

    Raises:
        AppError: 400 wrong_password, the current password is wrong, or was changed meanwhile.
        InvalidToken: the session has ended meanwhile.
        TooManyRequests: too many wrong passwords for this account.
    """
    old_hash = await confirm_password(services, user, current_password)
    new_hash = await services.passwords.hash(new_password)
    async with services.database.transaction() as db:
        locked = await lock_signed_in_user(db, user)
        if locked.password_hash != old_hash:  # changed while we hashed
            raise _wrong_password()
        locked.password_hash = new_hash
        await reset_links.end_all(services, db, locked)
        await db.execute(
            revoke(RevokedReason.PASSWORD_CHANGED).where(
                Session.user_id == user.id, Session.id != user.session_id
            )
        )
        kind = MailKind.PASSWORD_CHANGED
        await services.outbox.promise(db, kind, locked.email, user_id=user.id)
        record(db, SecurityEvent.PASSWORD_CHANGED, user.id)


async def confirm_password(services: Services, user: SessionUser, password: str) -> str | None:
    """Return the stored hash if this is its password.

    Raises:
        AppError: 400 wrong_password.
        TooManyRequests: too many wrong passwords for this account.

    Who is signed in has tries of their own, besides those of everybody: a stolen access token
    must not find the password, and no stranger keeps the owner from changing it.
    """
    own_tries = f"signed-in:{user.id}"
    await services.limiter.refuse_if_used_up(services.account_limit, own_tries)
    row = await services.database.fetch_one(select(User.password_hash).where(User.id == user.id))
    stored = row.password_hash if row else None
    if await services.passwords.verify(password, stored):
        return stored
    note(services, SecurityEvent.PASSWORD_CHANGE_FAILED, user.id)
    await services.limiter.count(services.account_limit, own_tries)
    await count_wrong_password(services, user.email)
    raise _wrong_password()


def _wrong_password() -> AppError:
    """Not a 401: the access token is good, and on 401 clients refresh it or sign their user out."""
    return AppError(400, ErrorCode.WRONG_PASSWORD, "The current password is wrong.")
