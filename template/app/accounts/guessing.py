"""Tries at a password: counted before it is hashed, and one at a time for each user."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import select

from app.accounts.events import note
from app.accounts.models import Session, User
from app.accounts.sessions import Device, SignedInUser
from app.accounts.tokens import token_hash
from app.errors import AppError, ErrorCode
from app.foundation.http.client_address import UNKNOWN, rate_limit_key
from app.foundation.limits import HASHES_OF_A_USER, IN_LINE, USER, Reservation, TooManyRequests
from app.security_events import SecurityEvent
from app.services import Services


@asynccontextmanager
async def one_at_a_time(
    services: Services, user: UUID | str, waiting: int = IN_LINE + 1
) -> AsyncIterator[None]:
    """Hash one password at a time for a user or an unknown address: forty tries at one account must
    not keep everybody else waiting.

    Raises:
        TooManyRequests: so many wait already. Try again in a second.
    """
    key = f"{USER}{user}" if isinstance(user, UUID) else _account_key(user)
    async with services.limiter.line(HASHES_OF_A_USER, key, waiting) as gate, gate:
        yield


async def reserve_try(
    services: Services, email: str, user_id: UUID | None, device: Device
) -> Reservation:
    """Reserve a try at an account; refuse it, without a look at the password, if somebody is
    guessing.

    This does not lock out the owner: an address with a session of this account passes, and only the
    limit by address counts. Otherwise any stranger could lock anybody out (ASVS 5.0 6.3.1). An
    address means the same as in the limits: IPv6 gives a device a new one every day.

    Raises:
        TooManyRequests: too many wrong passwords for this account.
    """
    limit, key = services.account_limit, _account_key(email)
    try:
        return await services.limiter.reserve(limit, key)
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
        return Reservation(services.limiter, limit, key, limit.limit.amount, spent=True)


async def count_wrong_password(services: Services, email: str) -> None:
    """Count a wrong password against the account, from any address.

    Raises:
        TooManyRequests: it was the last that the limit allows.
    """
    await (await services.limiter.reserve(services.account_limit, _account_key(email))).spend()


async def forget_wrong_passwords(services: Services, email: str) -> None:
    """Forget the tries at an account: the owner of the mailbox has set another password."""
    await services.limiter.forget(services.account_limit, _account_key(email))


async def check_own_password(services: Services, user: SignedInUser, password: str) -> str | None:
    """Return the stored hash if this is its password.

    A signed-in user has a limit of their own, apart from everybody's: a thief with a stolen access
    token must not find the password, and no stranger can keep the owner from changing it.

    Raises:
        AppError: 400 wrong_password.
        TooManyRequests: too many wrong passwords.
    """
    row = await services.database.fetch_one(select(User.password_hash).where(User.id == user.id))
    stored = row.password_hash if row else None
    tries = f"signed-in:{user.id}"
    async with await services.limiter.reserve(services.account_limit, tries) as own:
        if await services.passwords.verify(password, stored):
            return stored
        note(services, SecurityEvent.PASSWORD_CHANGE_FAILED, user.id)
        await own.spend()
        await count_wrong_password(services, user.email)
        raise wrong_password()


def wrong_password() -> AppError:
    """Not a 401: the access token is good, and on 401 clients refresh it or sign their user out."""
    return AppError(400, ErrorCode.WRONG_PASSWORD, "The current password is wrong.")


def _account_key(email: str) -> str:
    return token_hash(email)  # no addresses of people in Redis
