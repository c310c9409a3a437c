"""Signing in: without the password, everyone gets the same answer in the same time."""

from sqlalchemy import select

from app.accounts.events import note, record
from app.accounts.guessing import one_at_a_time, reserve_try
from app.accounts.models import User
from app.accounts.sessions import Device, TokenPair, make_room, open_session
from app.errors import AppError, ErrorCode
from app.foundation.database import AnyRow
from app.security_events import SecurityEvent
from app.services import Services


async def sign_in(
    services: Services, email: str, password: str, device: Device
) -> tuple[User, TokenPair]:
    """Open a session for the user who knows the password.

    Neither answer nor time shows whether a user is unknown or inactive, or the password wrong (ASVS
    5.0 6.3.8).

    Raises:
        AppError: 401 invalid_credentials.
        TooManyRequests: too many wrong passwords for this account, or another try is under way.
        Unavailable: too many people are signing in.
    """
    found = await _find(services, email)
    async with one_at_a_time(services, found.id if found else email):
        user = await _checked(services, email, password, found, device)
        return await _open(services, user, await _rehashed(services, user, password), device)


async def _checked(
    services: Services, email: str, password: str, user: AnyRow | None, device: Device
) -> AnyRow:
    """The user, if the password is right. A try is reserved first, and then given back."""
    user_id = user.id if user else None
    async with await reserve_try(services, email, user_id, device) as tried:
        correct = await services.passwords.verify(password, user.password_hash if user else None)
        if user is None or not correct or not user.is_active:
            note(services, SecurityEvent.LOGIN_FAILED, user_id, email=email)
            await tried.spend()
            raise invalid_credentials()
    return user


def invalid_credentials() -> AppError:
    headers = {"WWW-Authenticate": "Bearer"}
    message = "E-mail or password is wrong."
    return AppError(401, ErrorCode.INVALID_CREDENTIALS, message, headers=headers)


async def _find(services: Services, email: str) -> AnyRow | None:
    columns = (User.id, User.password_hash, User.is_active)
    return await services.database.fetch_one(select(*columns).where(User.email == email))


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
        await make_room(db, user.id)
        tokens = open_session(db, services, user.id, device)
        record(db, SecurityEvent.LOGIN_SUCCEEDED, user.id, session_id=tokens.session_id)
        return user, tokens
