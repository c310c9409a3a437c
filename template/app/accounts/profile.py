"""What users change about themselves."""

from typing import Any

from sqlalchemy.exc import IntegrityError

from app.accounts.email_change import move, require_proof, send_confirmation
from app.accounts.emails import refuse_unmailable
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
from app.services import Services


async def update_profile(
    services: Services,
    user: SignedInUser,
    changes: dict[str, Any],
    current_password: str | None,
    device: Device,
) -> User:
    """Change name or e-mail. A new e-mail ends open reset links, and both addresses are told; with
    EMAIL_CHANGE=confirm it changes only after the user opens a mailed link.

    Args:
        changes: `name`, `email` or both.
        current_password: checked only if EMAIL_CHANGE asks for it.

    Raises:
        AppError: 409 email_taken; 400 wrong_password; 403 fresh_login_required, as EMAIL_CHANGE
            says, and without a session.
        InvalidToken: the session has ended meanwhile.
        TooManyRequests: too many changes of address by this user or from this place, too many
            wrong passwords, or another try is under way.
    """
    to_confirm = None
    if "email" in changes and not isinstance(user, SessionUser):
        raise fresh_login_required()
    if isinstance(user, SessionUser) and changes.get("email", user.email) != user.email:
        refuse_unmailable(services.settings, changes["email"])
        await require_proof(services, user, current_password, device)
        await _count_change(services, user, device)
        if services.settings.email_change == "confirm":
            to_confirm = changes.pop("email")
    try:
        async with services.database.transaction() as db:
            profile = await lock_signed_in_user(db, user)
            old_email = profile.email
            if "name" in changes:
                profile.name = changes["name"]
            if changes.get("email", old_email) != old_email:
                await move(services, db, profile, changes["email"])
            await db.flush()
            if to_confirm is not None and isinstance(user, SessionUser):
                await send_confirmation(services, db, user, to_confirm)
    except IntegrityError:
        raise email_taken() from None
    return profile


async def _count_change(services: Services, user: SignedInUser, device: Device) -> None:
    """Each change sends two mails, so it has a limit of its own."""
    for key in (f"user:{user.id}", rate_limit_key(device.ip_address)):
        await services.limiter.count(services.email_change_limit, key)
