"""The way back in for a user who forgot the password (OWASP Forgot Password Cheat Sheet)."""

from typing import Final

from sqlalchemy import select

from app.accounts import reset_links
from app.accounts.events import note, record
from app.accounts.guessing import forget_wrong_passwords, one_at_a_time
from app.accounts.mails import MailKind
from app.accounts.models import PasswordReset, RevokedReason, Session, User
from app.accounts.own_names import refuse_own_names
from app.accounts.sessions import end_credentials, lock_user, revoke
from app.accounts.tokens import token_hash
from app.errors import AppError, ErrorCode
from app.foundation.database import AnyRow, utc_now
from app.security_events import SecurityEvent
from app.services import Services

MAX_TOKEN: Final = 64
"""Ours have 43 characters."""


async def request_password_reset(services: Services, email: str) -> None:
    """Mail a reset link, if the address has an account.

    Every request makes one query and one row; the rest happens after the answer. So neither the
    answer nor its time tells whether the account exists, or whether mail can be sent.
    """
    user = await services.database.fetch_one(
        select(User.id).where(User.email == email, User.is_active)
    )
    await services.outbox.request(MailKind.PASSWORD_RESET, email)
    user_id = user.id if user else None
    note(services, SecurityEvent.PASSWORD_RESET_REQUESTED, user_id, email=email)


async def reset_password(services: Services, token: str, new_password: str) -> None:
    """Set a new password with a mailed token, once; every session ends (ASVS 5.0 7.4.3), and so
    does every other link.

    Guesses at the old password no longer count against the owner.

    Raises:
        AppError: 400 invalid_reset_token, it is unknown, used, ended or too old;
            400 validation_failed, the password is the user's own address.
        TooManyRequests: a password of this user is being hashed.
        Unavailable: too many people are signing in; the token is still good.
    """
    owner = await _find_owner(services, token)
    refuse_own_names(new_password, owner.email, services.settings.app_name, "newPassword")
    user_id = owner.id
    async with one_at_a_time(services, user_id):
        password_hash = await services.passwords.hash(new_password)
    async with services.database.transaction() as db:
        user = await lock_user(db, user_id)
        if user is None or not user.is_active:
            raise _invalid_reset_token()
        if token_hash(token) not in await reset_links.end_all(services, db, user):
            raise _invalid_reset_token()
        user.password_hash = password_hash
        await db.execute(revoke(RevokedReason.PASSWORD_RESET).where(Session.user_id == user_id))
        await end_credentials(services, db, user_id, RevokedReason.PASSWORD_RESET)
        kind = MailKind.PASSWORD_CHANGED
        await services.outbox.promise(db, kind, user.email, user_id=user_id)
        record(db, SecurityEvent.PASSWORD_RESET, user_id)
    await forget_wrong_passwords(services, user.email)


async def _find_owner(services: Services, token: str) -> AnyRow:
    """Find the token's user, before we spend a hash on it."""
    if len(token) > MAX_TOKEN:
        raise _invalid_reset_token()
    owner = await services.database.fetch_one(
        select(User.id, User.email)
        .join(PasswordReset, PasswordReset.user_id == User.id)
        .where(PasswordReset.token_hash == token_hash(token), PasswordReset.used_at.is_(None))
        .where(PasswordReset.expires_at > utc_now(), User.is_active)
    )
    if owner is None:
        raise _invalid_reset_token()
    return owner


def _invalid_reset_token() -> AppError:
    message = "This reset link was used, replaced, or is too old. Ask for a new one."
    return AppError(400, ErrorCode.INVALID_RESET_TOKEN, message)
