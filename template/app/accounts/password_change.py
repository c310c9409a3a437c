"""Changing the password while signed in."""

from app.accounts import reset_links
from app.accounts.events import record
from app.accounts.guessing import check_own_password, wrong_password
from app.accounts.mails import MailKind
from app.accounts.models import RevokedReason, Session
from app.accounts.own_names import refuse_own_names
from app.accounts.sessions import SessionUser, lock_signed_in_user, revoke
from app.security_events import SecurityEvent
from app.services import Services


async def change_password(
    services: Services, user: SessionUser, current_password: str, new_password: str
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
        await reset_links.end_all(services, db, locked)
        await db.execute(
            revoke(RevokedReason.PASSWORD_CHANGED).where(
                Session.user_id == user.id, Session.id != user.session_id
            )
        )
        kind = MailKind.PASSWORD_CHANGED
        await services.outbox.promise(db, kind, locked.email, user_id=user.id)
        record(db, SecurityEvent.PASSWORD_CHANGED, user.id)
