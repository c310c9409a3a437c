"""What users change about themselves."""

from typing import Any

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from app.accounts import messages
from app.accounts.models import PasswordReset, User
from app.accounts.registration import email_taken
from app.accounts.sessions import (
    SessionUser,
    SignedInUser,
    fresh_login_required,
    lock_signed_in_user,
)
from app.security_events import SecurityEvent
from app.services import Services

logger = structlog.get_logger()


async def update_profile(services: Services, user: SignedInUser, changes: dict[str, Any]) -> User:
    """Change name or e-mail. A new e-mail voids open reset links, and both addresses are told.

    Args:
        changes: `name` and `email`, those that change.

    Raises:
        AppError: 409 email_taken; 403 fresh_login_required, a new e-mail takes a session.
        InvalidToken: the session has ended meanwhile.
    """
    if "email" in changes and not isinstance(user, SessionUser):
        raise fresh_login_required()
    try:
        async with services.database.transaction() as db:
            profile = await lock_signed_in_user(db, user)
            old_email = profile.email
            for name, value in changes.items():
                setattr(profile, name, value)
            if profile.email != old_email:
                await db.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
            await db.flush()
    except IntegrityError:
        raise email_taken() from None
    if profile.email != old_email:
        logger.info(SecurityEvent.EMAIL_CHANGED, user_id=str(user.id))
        for address in (old_email, profile.email):
            services.outbox.submit(
                messages.email_changed(address, services.settings.app_name, profile.email)
            )
    return profile
