"""The links that set a new password: made when they are mailed, and ended together."""

import secrets
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.mails import MailKind
from app.accounts.models import PasswordReset, User
from app.accounts.tokens import token_hash
from app.foundation.database import utc_now
from app.foundation.mail import QueuedMail
from app.services import Services

TOKEN_BYTES: Final = 32

KINDS: Final = (MailKind.PASSWORD_RESET, MailKind.INVITATION)

INVITATION_LIFETIME: Final = timedelta(days=7)
"""Nobody who is invited waits for the mail, as who forgot a password does. Who comes later asks for
a reset link."""

MOST_LIVE: Final = 5
"""Links of one account. No request voids an earlier one: beyond these, none is made."""


async def make(services: Services, mail: QueuedMail) -> tuple[str, bool]:
    """Make a token for the mail; the second value tells whether it opens anything.

    It does not when the address has no active account, or as many links as it may, or when the
    mail was withdrawn meanwhile. The same is asked of the database then. A mail that is tried again
    takes the place of its own last try.
    """
    token, now = secrets.token_urlsafe(TOKEN_BYTES), utc_now()
    is_invitation = mail.kind == MailKind.INVITATION
    lifetime = INVITATION_LIFETIME if is_invitation else services.password_reset_lifetime
    async with services.database.transaction() as db:
        owner = select(User.id).where(User.email == mail.recipient, User.is_active)
        user_id = await db.scalar(owner.with_for_update())
        promised = await db.scalar(select(QueuedMail.id).where(QueuedMail.id == mail.id))
        await db.execute(delete(PasswordReset).where(PasswordReset.id == mail.id))
        live = await db.scalar(
            select(func.count())
            .where(PasswordReset.user_id == user_id, PasswordReset.used_at.is_(None))
            .where(PasswordReset.expires_at > now)
        )
        is_due = bool(user_id and promised) and (live or 0) < MOST_LIVE
        if is_due:
            db.add(
                PasswordReset(
                    id=mail.id,
                    user_id=user_id,
                    token_hash=token_hash(token),
                    created_at=now,
                    expires_at=now + lifetime,
                )
            )
    return token, is_due


async def end_all(services: Services, db: AsyncSession, user: User) -> list[str]:
    """End every link of an account, also those whose mail is still to be sent; the caller holds
    the lock on the user. Returns the hashes of those that were not used."""
    await services.outbox.queue.withdraw(db, KINDS, user.email)
    ended = await db.scalars(
        update(PasswordReset)
        .where(PasswordReset.user_id == user.id, PasswordReset.used_at.is_(None))
        .values(used_at=utc_now())
        .returning(PasswordReset.token_hash)
    )
    return list(ended)
