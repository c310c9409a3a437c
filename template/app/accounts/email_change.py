"""Changing the e-mail address, and the proof that EMAIL_CHANGE wants from the caller."""

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
    """Let the caller go on if EMAIL_CHANGE only wants a session, if the session is young, or with
    the password.

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

    The mail to the old address shows just enough of the new one to recognise it. Otherwise a caller
    could send any words to a stranger in the form of an address.
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
    """Mail a link to the new address, after the answer. If the address is taken, the answer is the
    same."""
    kind, session = MailKind.EMAIL_CONFIRM, str(user.session_id)
    await services.outbox.promise(db, kind, email, user_id=user.id, detail=session)


async def make_token(services: Services, queued: QueuedMail) -> tuple[str, bool]:
    """Make the token of a link. The second value says whether to send it: not if the address is
    taken, or the account is gone.

    The token needs no row. It names the address and the account's present state, so it works once,
    and any other change of the account makes it void. It is the only token that holds an address,
    and it goes only to that address.
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
    """Give the account the address that the link was mailed to, if the session that asked still
    lives.

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
    """A value that differs after any change of the account."""
    return token_hash(f"{account.email} {account.updated_at.isoformat()}")


def _invalid_confirmation() -> AppError:
    message = "This link was used or is too old, or your account has changed since. Ask again."
    return AppError(400, ErrorCode.INVALID_CONFIRMATION, message)
