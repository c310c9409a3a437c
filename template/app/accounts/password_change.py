"""Changing the password while signed in."""

import structlog
from sqlalchemy import delete

from app.accounts import messages
from app.accounts.guessing import check_own_password, wrong_password
from app.accounts.models import PasswordReset, RevokedReason, Session
from app.accounts.own_names import refuse_own_names
from app.accounts.sessions import SignedInUser, lock_signed_in_user, revoke
from app.security_events import SecurityEvent
from app.services import Services

logger = structlog.get_logger()


async def change_password(
    services: Services, user: SignedInUser, current_password: str, new_password: str
) -> None:
    """Set a new password; every other session ends (ASVS 5.0 7.4.3), open reset links too.

    Raises:
        AppError: 400 wrong_password, the current password is wrong, or was changed meanwhile;
            400 validation_failed, the new one is the user's own address.
        InvalidToken: the session has ended meanwhile.
        TooManyRequests: too many wrong passwords for this account.
    """
    refuse_own_names(new_password, user.email, services.settings.app_name, "newPassword")
    old_hash = await check_own_password(services, user, current_password)
    new_hash = await services.passwords.hash(new_password)
    async with services.database.transaction() as db:
        locked = await lock_signed_in_user(db, user)
        if locked.password_hash != old_hash:  # changed while we hashed
            raise wrong_password()
        locked.password_hash = new_hash
        await db.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
        await db.execute(
            revoke(RevokedReason.PASSWORD_CHANGED).where(
                Session.user_id == user.id, Session.id != user.session_id
            )
        )
    logger.info(SecurityEvent.PASSWORD_CHANGED, user_id=str(user.id))
    services.outbox.submit(messages.password_changed(user.email, services.settings.app_name))
