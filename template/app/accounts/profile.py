"""What users change about themselves."""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import reset_links
from app.accounts.emails import masked, refuse_unmailable
from app.accounts.events import record
from app.accounts.mails import MailKind
from app.accounts.models import User
from app.accounts.registration import email_taken
from app.accounts.sessions import (
    Device,
    SessionUser,
    SignedInUser,
    fresh_login_required,
    lock_signed_in_user,
)
from app.foundation.http.client_address import rate_limit_key
from app.security_events import SecurityEvent
from app.services import Services


async def update_profile(
    services: Services, user: SignedInUser, changes: dict[str, Any], device: Device
) -> User:
    """Change name or e-mail. A new e-mail ends open reset links, and both addresses are told.

    Args:
        changes: `name` and `email`, those that change.

    Raises:
        AppError: 409 email_taken; 403 fresh_login_required, a new e-mail takes a session.
        InvalidToken: the session has ended meanwhile.
        TooManyRequests: too many changes of address by this user, or from this place.
    """
    if "email" in changes and not isinstance(user, SessionUser):
        raise fresh_login_required()
    if changes.get("email", user.email) != user.email:
        refuse_unmailable(services.settings, changes["email"])
        await _count_change(services, user, device)
    try:
        async with services.database.transaction() as db:
            profile = await lock_signed_in_user(db, user)
            old_email = profile.email
            if changes.get("email", old_email) != old_email:
                await reset_links.end_all(services, db, profile)
                await _tell_both(services, db, profile, changes["email"])
                record(db, SecurityEvent.EMAIL_CHANGED, user.id)
            for name, value in changes.items():
                setattr(profile, name, value)
            await db.flush()
    except IntegrityError:
        raise email_taken() from None
    return profile


async def _count_change(services: Services, user: SignedInUser, device: Device) -> None:
    """Each change mails two people: a limit of its own, so that nobody mails many."""
    for key in (f"user:{user.id}", rate_limit_key(device.ip_address)):
        await services.limiter.count(services.email_change_limit, key)


async def _tell_both(services: Services, db: AsyncSession, user: User, new_email: str) -> None:
    """The old address hears of the new one no more than it takes to recognise it: nobody writes a
    stranger what they like by means of an address."""
    promise = services.outbox.promise
    detail = masked(new_email)
    await promise(db, MailKind.EMAIL_CHANGED, user.email, user_id=user.id, detail=detail)
    await promise(db, MailKind.EMAIL_ADDED, new_email, user_id=user.id)
