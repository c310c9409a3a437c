"""Registering: each e-mail address has one account."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts.emails import refuse_unmailable
from app.accounts.events import record
from app.accounts.models import Role, User
from app.accounts.own_names import refuse_own_names
from app.accounts.passwords import NO_PASSWORD
from app.accounts.sessions import Device, TokenPair, open_session
from app.errors import AppError, ErrorCode
from app.security_events import SecurityEvent
from app.services import Services


async def register(
    services: Services, email: str, password: str, name: str | None, device: Device
) -> tuple[User, TokenPair]:
    """Create a user and open the first session.

    Raises:
        AppError: 409 email_taken.
        Unavailable: too many people are signing in.
    """
    refuse_own_names(password, email, services.settings.app_name, "password")
    user = await new_user(services, email, password, name, Role.USER)
    try:
        async with services.database.transaction() as db:
            db.add(user)
            await db.flush()
            tokens = open_session(db, services, user.id, device)
            record(db, SecurityEvent.USER_REGISTERED, user.id, session_id=tokens.session_id)
    except IntegrityError:  # somebody else was faster
        raise email_taken() from None
    return user, tokens


async def new_user(
    services: Services, email: str, password: str | None, name: str | None, role: Role
) -> User:
    """Build a user whose e-mail is still free, with the password hashed; the caller stores it.

    Args:
        password: None if the user is to set it through a link.

    Raises:
        AppError: 409 email_taken; 400 validation_failed, we can't send mail to it.
    """
    refuse_unmailable(services.settings, email)
    taken = select(User.id).where(User.email == email)
    if await services.database.fetch_one(taken):  # before the hash, which costs 0.2 s
        raise email_taken()
    password_hash = await services.passwords.hash(password) if password else NO_PASSWORD
    return User(email=email, name=name, password_hash=password_hash, role=role)


def email_taken() -> AppError:
    return AppError(409, ErrorCode.EMAIL_TAKEN, "An account with this e-mail address exists.")
