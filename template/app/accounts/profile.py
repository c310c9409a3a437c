"""What users change about themselves."""

from typing import Any

from sqlalchemy.exc import IntegrityError

from app.accounts.email_change import move, require_proof, send_confirmation, tell_both
from app.accounts.models import User
from app.accounts.registration import email_taken
from app.accounts.sessions import Device, SignedInUser, lock_signed_in_user
from app.services import Services


async def update_profile(
    services: Services,
    user: SignedInUser,
    changes: dict[str, Any],
    current_password: str | None,
    device: Device,
) -> User:
    """Change name or e-mail. A new e-mail voids open reset links, and both addresses are told; with
    EMAIL_CHANGE=confirm it changes once its mailed link is followed.

    Args:
        changes: `name` and `email`, those that change.
        current_password: asked for as EMAIL_CHANGE says, else not looked at.

    Raises:
        AppError: 409 email_taken; 403 fresh_login_required; 400 wrong_password.
        InvalidToken: the session has ended meanwhile.
        TooManyRequests: too many wrong passwords, or another try is under way.
    """
    to_confirm = None
    if changes.get("email", user.email) != user.email:
        await require_proof(services, user, current_password, device)
        if services.settings.email_change == "confirm":
            to_confirm = changes.pop("email")
    try:
        async with services.database.transaction() as db:
            profile = await lock_signed_in_user(db, user)
            old_email = profile.email
            if "name" in changes:
                profile.name = changes["name"]
            if changes.get("email", old_email) != old_email:
                await move(db, profile, changes["email"])
            await db.flush()
    except IntegrityError:
        raise email_taken() from None
    if profile.email != old_email:
        tell_both(services, profile, old_email)
    if to_confirm is not None:
        send_confirmation(services, user, to_confirm)
    return profile
