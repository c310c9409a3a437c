"""The links that set a new password: made when they are mailed, and ended together."""

import hmac
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.key_rings import secret_ring
from app.accounts.mails import MailKind
from app.accounts.models import PasswordReset, User
from app.accounts.tokens import token_hash
from app.foundation.database import utc_now
from app.foundation.mail import IS_GIVEN_UP, QueuedMail, log_dropped
from app.services import Services

KINDS: Final = (MailKind.PASSWORD_RESET, MailKind.INVITATION)

INVITATION_LIFETIME: Final = timedelta(days=7)
"""Nobody who is invited waits for the mail, as who forgot a password does. Who comes later asks for
a reset link."""

MOST_LIVE: Final = 5
"""Links of one account. No request voids an earlier one: beyond these, none is made."""


async def make(services: Services, mail: QueuedMail) -> tuple[str, bool]:
    """Make a token for the mail; the second value tells whether it opens anything.

    It does not when the address has no active account, or as many links as it may, or when the
    mail was withdrawn meanwhile. The same is asked of the database then. A link whose mail was
    given up takes no other's place.
    """
    tokens, now = _tokens(services, mail.id), utc_now()
    is_invitation = mail.kind == MailKind.INVITATION
    lifetime = INVITATION_LIFETIME if is_invitation else services.password_reset_lifetime
    async with services.database.transaction() as db:
        owner = select(User.id).where(User.email == mail.recipient, User.is_active)
        user_id = await db.scalar(owner.with_for_update())
        waits = (QueuedMail.id == mail.id) & QueuedMail.not_before.is_not(None)
        promised = await db.scalar(select(QueuedMail.id).where(waits))
        lost = PasswordReset.id.in_(select(QueuedMail.id).where(IS_GIVEN_UP))
        await db.execute(delete(PasswordReset).where(lost, PasswordReset.user_id == user_id))
        live = await db.scalar(
            select(func.count())
            .where(PasswordReset.user_id == user_id, PasswordReset.used_at.is_(None))
            .where(PasswordReset.expires_at > now, PasswordReset.id != mail.id)
        )
        made = await db.scalar(select(PasswordReset.token_hash).where(PasswordReset.id == mail.id))
        token = next((token for token in tokens if token_hash(token) == made), tokens[0])
        is_wanted = bool(user_id and promised)
        is_due = is_wanted and (live or 0) < MOST_LIVE
        if is_wanted and not is_due:
            log_dropped(mail, "links")
        if is_due:
            link = PasswordReset(id=mail.id, user_id=user_id, token_hash=token_hash(token))
            link.created_at, link.expires_at = now, now + lifetime
            await db.merge(link)
    return token, is_due


def _tokens(services: Services, mail_id: UUID) -> list[str]:
    """The same at each try of a mail: the server may have taken it, and only its answer was lost.
    One for each secret: it may have been another that signed then.

    The id is known to who reads the mail; without the secret it tells nothing of the token.
    """
    text = b"reset link " + mail_id.bytes
    keys = secret_ring(services.settings).keys
    digests = [hmac.digest(key.signs_with, text, "sha256") for key in keys]
    return [urlsafe_b64encode(digest).rstrip(b"=").decode() for digest in digests]


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
