"""Changing the e-mail address, and the proof of who asks that EMAIL_CHANGE wants."""

from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import reset_links
from app.accounts.emails import masked
from app.accounts.events import record
from app.accounts.guessing import check_own_password, one_at_a_time
from app.accounts.mails import MailKind
from app.accounts.models import Session, User
from app.accounts.registration import email_taken
from app.accounts.sessions import (
    Device,
    SessionUser,
    fresh_login_required,
    is_live,
    lock_user,
)
from app.accounts.tokens import InvalidToken, TokenType, token_hash
from app.errors import AppError, ErrorCode
from app.foundation.database import AnyRow, utc_now
from app.foundation.http.client_address import rate_limit_key
from app.foundation.limits import HASHES_OF_AN_ADDRESS
from app.foundation.mail import QueuedMail
from app.security_events import SecurityEvent
from app.services import Services

FRESH: Final = timedelta(minutes=10)
"""A session this young is proof enough: a stolen access token lives longer (ASVS 5.0 7.5.1)."""

LINK_LIFETIME: Final = timedelta(hours=1)


async def require_proof(
    services: Services, user: SessionUser, password: str | None, device: Device
) -> None:
    """Let who asks go on: when EMAIL_CHANGE wants no more than the session, when the session is
    young, or with the password.

    Raises:
        AppError: 403 fresh_login_required; 400 wrong_password.
        TooManyRequests: too many wrong passwords, or another try is under way.
    """
    if services.settings.email_change == "session":
        return
    opened = select(Session.created_at).where(Session.id == user.session_id)
    row = await services.database.fetch_one(opened)
    if row is not None and utc_now() - row.created_at <= FRESH:
        return
    if password is None:
        raise fresh_login_required("Send your currentPassword as well, or sign in anew first.")
    address = rate_limit_key(device.ip_address)
    async with (
        services.limiter.line(HASHES_OF_AN_ADDRESS, address),
        one_at_a_time(services, user.id, waiting=0),
    ):
        await check_own_password(services, user, password)


async def move(services: Services, db: AsyncSession, user: User, email: str) -> None:
    """Give an account another address, and tell both; reset links, mailed to the old one, end.

    The old address hears of the new one no more than it takes to recognise it: nobody writes a
    stranger what they like by means of an address.
    """
    await reset_links.end_all(services, db, user)
    promise, old_email = services.outbox.promise, user.email
    detail = masked(email)
    await promise(db, MailKind.EMAIL_CHANGED, old_email, user_id=user.id, detail=detail)
    await promise(db, MailKind.EMAIL_ADDED, email, user_id=user.id)
    user.email = email
    record(db, SecurityEvent.EMAIL_CHANGED, user.id)


async def send_confirmation(
    services: Services, db: AsyncSession, user: SessionUser, email: str
) -> None:
    """Mail a link to the new address, after the answer, which is the same if it is taken."""
    kind, session = MailKind.EMAIL_CONFIRM, str(user.session_id)
    await services.outbox.promise(db, kind, email, user_id=user.id, detail=session)


async def make_token(services: Services, queued: QueuedMail) -> tuple[str, bool]:
    """Make the token of a link; the second value tells whether it is due: not when the address is
    taken, or the account gone.

    It needs no row: it names the address, and the account as it is now, so it works once, and not
    after any other change of the account. It is the one token that holds an address, and goes to
    nobody else.
    """
    taken = await services.database.fetch_one(select(User.id).where(User.email == queued.recipient))
    account = await services.database.fetch_one(
        select(User.id, User.email, User.updated_at).where(
            User.id == queued.user_id, User.is_active
        )
    )
    if taken is not None or account is None:
        return "", False
    now = utc_now()
    token = services.tokens.sign(
        TokenType.EMAIL_CHANGE,
        user_id=account.id,
        session_id=UUID(queued.detail),
        token_id=uuid4(),
        issued_at=now,
        expires_at=now + LINK_LIFETIME,
        email=queued.recipient,
        state=_state(account),
    )
    return token, True


async def confirm(services: Services, token: str) -> None:
    """Give the account the address that a link was mailed to, while the session that asked lives.

    Raises:
        AppError: 400 invalid_confirmation, the link was used, is too old, or the account has
            changed since; 409 email_taken.
    """
    try:
        claims = services.tokens.read(token, TokenType.EMAIL_CHANGE)
    except InvalidToken:
        raise _invalid_confirmation() from None
    try:
        async with services.database.transaction() as db:
            user = await _lock_asker(db, claims.user_id, claims.session_id)
            if user is None or claims.email is None or claims.state != _state(user):
                raise _invalid_confirmation()
            await move(services, db, user, claims.email)
            await db.flush()
    except IntegrityError:
        raise email_taken() from None


async def _lock_asker(db: AsyncSession, user_id: UUID, session_id: UUID) -> User | None:
    user = await lock_user(db, user_id)
    live = select(Session.id).where(Session.id == session_id, is_live(utc_now()))
    return user if user and user.is_active and await db.scalar(live) is not None else None


def _state(account: User | AnyRow) -> str:
    """What changes with the account, whatever of it does."""
    return token_hash(f"{account.email} {account.updated_at.isoformat()}")


def _invalid_confirmation() -> AppError:
    message = "This link was used or is too old, or your account has changed since. Ask again."
    return AppError(400, ErrorCode.INVALID_CONFIRMATION, message)
