"""Signing in: the same answer, in the same time, to everyone who doesn't know the password."""

from uuid import UUID

from sqlalchemy import select

from app.accounts.events import note, record
from app.accounts.models import Session, User
from app.accounts.sessions import Device, TokenPair, open_session
from app.accounts.tokens import token_hash
from app.errors import AppError, ErrorCode
from app.foundation.database import AnyRow
from app.foundation.http.client_address import UNKNOWN, rate_limit_key
from app.foundation.limits import TooManyRequests
from app.security_events import SecurityEvent
from app.services import Services


async def sign_in(
    services: Services, email: str, password: str, device: Device
) -> tuple[User, TokenPair]:
    """Open a session for the user who knows the password.

    Unknown, inactive and wrong are told apart neither by answer nor by time (ASVS 5.0 6.3.8).

    Raises:
        AppError: 401 invalid_credentials.
        TooManyRequests: too many wrong passwords for this account.
        Unavailable: too many people are signing in.
    """
    user = await _find(services, email)
    await _refuse_guessing(services, email, user.id if user else None, device)
    correct = await services.passwords.verify(password, user.password_hash if user else None)
    if user is None or not correct or not user.is_active:
        note(services, SecurityEvent.LOGIN_FAILED, user.id if user else None, email=email)
        await count_wrong_password(services, email)
        raise invalid_credentials()
    return await _open(services, user, await _rehashed(services, user, password), device)


async def count_wrong_password(services: Services, email: str) -> None:
    """Count a wrong password against the account, whatever address it came from.

    Raises:
        TooManyRequests: it was the last that the limit allows.
    """
    await services.limiter.count(services.account_limit, _account_key(email))
    await services.limiter.refuse_if_used_up(services.account_limit, _account_key(email))


async def forget_wrong_passwords(services: Services, email: str) -> None:
    """Let the account be tried anew: its password is another one, set by who owns the mailbox."""
    await services.limiter.forget(services.account_limit, _account_key(email))


def invalid_credentials() -> AppError:
    headers = {"WWW-Authenticate": "Bearer"}
    message = "E-mail or password is wrong."
    return AppError(401, ErrorCode.INVALID_CREDENTIALS, message, headers=headers)


async def _find(services: Services, email: str) -> AnyRow | None:
    columns = (User.id, User.password_hash, User.is_active)
    return await services.database.fetch_one(select(*columns).where(User.email == email))


async def _refuse_guessing(
    services: Services, email: str, user_id: UUID | None, device: Device
) -> None:
    """Refuse an account that is being guessed at, without a look at the password.

    Not its owner, though: an address with a session of this account is let through to the limit
    by address, or any stranger could lock anybody out (ASVS 5.0 6.3.1). What counts as one address
    there does here: IPv6 gives a device a new one every day.
    """
    try:
        await services.limiter.refuse_if_used_up(services.account_limit, _account_key(email))
    except TooManyRequests:
        addresses = select(Session.ip_address).where(Session.user_id == user_id).distinct()
        known = {
            rate_limit_key(row.ip_address)
            for row in await services.database.fetch_all(addresses)
            if row.ip_address
        }
        known.discard(UNKNOWN)  # it is nobody's
        if rate_limit_key(device.ip_address) not in known:
            raise


def _account_key(email: str) -> str:
    return token_hash(email)  # no addresses of people in Redis


async def _rehashed(services: Services, user: AnyRow, password: str) -> str:
    """The stored hash, or a new one if BCRYPT_COST has changed since."""
    if services.passwords.is_outdated(user.password_hash):
        return await services.passwords.hash(password)
    return str(user.password_hash)


async def _open(
    services: Services, checked: AnyRow, password_hash: str, device: Device
) -> tuple[User, TokenPair]:
    async with services.database.transaction() as db:
        # Locked and compared again: the password may have been reset while it was hashed.
        unchanged = (
            select(User)
            .where(User.id == checked.id, User.is_active)
            .where(User.password_hash == checked.password_hash)
            .with_for_update()
        )
        user = await db.scalar(unchanged)
        if user is None:
            raise invalid_credentials()
        if user.password_hash != password_hash:
            user.password_hash = password_hash
        tokens = open_session(db, services, user.id, device)
        record(db, SecurityEvent.LOGIN_SUCCEEDED, user.id, session_id=tokens.session_id)
        return user, tokens
