"""`token …`: makes a token to try things with, and looks one up in the database."""

import json
import sys
from argparse import Namespace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.accounts import sessions
from app.accounts.models import Session, User
from app.manage.commands import add_command, add_group, whole_number
from app.manage.errors import CommandError
from app.manage.output import facts, iso
from app.manage.users import find, shown
from app.services import Services


async def issue_token(services: Services, args: Namespace) -> dict[str, str]:
    user = await find(services, args.email)
    if not user.is_active:
        raise CommandError(
            f"{user.email} is deactivated; a token would not work",
            f"first: python -m app.manage user activate {user.email}",
        )
    lifetime = (
        timedelta(seconds=args.ttl) if args.ttl is not None else services.access_token_lifetime
    )
    if not timedelta(0) < lifetime <= services.session_lifetime:
        days = services.settings.refresh_token_days
        raise CommandError(
            "a token lives between a second and REFRESH_TOKEN_DAYS",
            f"give --ttl between 1 and {days * 86400} seconds",
            exit_code=2,
        )
    issued = await sessions.issue_access_token(services, user.id, lifetime)
    return {
        "accessToken": issued.access_token,
        "expiresAt": iso(issued.expires_at),
        "email": user.email,
        "sessionId": str(issued.session_id),
    }


async def token_status(services: Services, args: Namespace) -> dict[str, Any]:
    """Look up a token's `sub` and `sid`, read as JSON from stdin, in the database."""
    try:
        claims = json.load(sys.stdin)
        user_id, session_id = UUID(claims["sub"]), UUID(claims["sid"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise CommandError('write {"sub": "...", "sid": "..."} to stdin', exit_code=2) from None
    database = services.database
    user = await database.fetch_one(select(User.__table__).where(User.id == user_id))
    session = await database.fetch_one(select(Session.__table__).where(Session.id == session_id))
    return {
        "user": shown(user) if user else None,
        "session": facts(session, "id", "created_at", "expires_at", "revoked_at", "revoked_reason")
        if session and session.user_id == user_id
        else None,
    }


def add_commands(commands: Any) -> None:
    group = add_group(commands, "token", "issue a token, or ask about one")
    issue = add_command(group, "issue", issue_token, "an access token for a user", email=True)
    issue.add_argument("--ttl", type=whole_number, metavar="SECONDS", help="how long it lives")
    add_command(group, "status", token_status, "what the database knows of {sub, sid} on stdin")
