"""Administering accounts from the shell: users, their sessions, and tokens to try things with."""

import json
import secrets
import sys
from argparse import Namespace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts import administration, sessions
from app.accounts.emails import canonical_email
from app.accounts.models import RevokedReason, Role, Session, User
from app.accounts.passwords import password_problem
from app.accounts.registration import email_taken, new_user
from app.accounts.services import Services
from app.config import Environment
from app.database import AnyRow
from app.manage.errors import CommandError

SEEDS: Final = (("admin@example.com", "Admin", Role.ADMIN), ("user@example.com", "User", Role.USER))

MAX_NAME_LENGTH: Final = 100


async def seed(services: Services, args: Namespace) -> list[dict[str, str]]:
    """Make the development users that are missing; their passwords are shown this once."""
    if services.settings.environment is Environment.PRODUCTION:
        raise CommandError(
            "seed makes development users, and ENVIRONMENT is production",
            "make a real one: python -m app.manage user create EMAIL --role admin",
        )
    seeded = []
    for email, name, role in SEEDS:
        known = await services.database.fetch_one(select(User.role).where(User.email == email))
        if known:
            seeded.append({"email": email, "role": known.role})
        else:
            password = generate_password()
            await _store(services, email, password, name, role)
            seeded.append({"email": email, "role": role.value, "password": password})
    return seeded


async def create(services: Services, args: Namespace) -> dict[str, Any]:
    name = _checked_name(args.name)
    password, generated = _read_password(args)
    user = await _store(services, _canonical(args.email), password, name, Role(args.role))
    return _shown(user) | generated


async def list_all(services: Services, args: Namespace) -> dict[str, Any]:
    users, total = await administration.list_users(services, args.limit, args.offset)
    shown = [_shown(user) for user in users]
    return {"users": shown, "total": total, "limit": args.limit, "offset": args.offset}


async def show(services: Services, args: Namespace) -> dict[str, Any]:
    user = await _find(services, args.email)
    return _shown(user) | {"sessions": len(await sessions.list_sessions(services, user.id))}


async def activate(services: Services, args: Namespace) -> dict[str, Any]:
    user = await _find(services, args.email)
    return _shown(await administration.update_user(services, user.id, is_active=True))


async def deactivate(services: Services, args: Namespace) -> dict[str, Any]:
    user = await _find(services, args.email)
    return _shown(await administration.update_user(services, user.id, is_active=False))


async def set_role(services: Services, args: Namespace) -> dict[str, Any]:
    user = await _find(services, args.email)
    return _shown(await administration.update_user(services, user.id, role=Role(args.role)))


async def set_password(services: Services, args: Namespace) -> dict[str, Any]:
    user = await _find(services, args.email)
    password, generated = _read_password(args)
    await administration.set_password(services, user.id, password)
    return _shown(user) | generated


async def list_sessions(services: Services, args: Namespace) -> dict[str, Any]:
    user = await _find(services, args.email)
    rows = await sessions.list_sessions(services, user.id)
    return {
        "sessions": [
            {
                "id": str(row.id),
                "createdAt": _iso(row.created_at),
                "lastUsedAt": _iso(row.last_used_at),
                "expiresAt": _iso(row.expires_at),
                "userAgent": row.user_agent,
                "ipAddress": row.ip_address,
            }
            for row in rows
        ]
    }


async def revoke(services: Services, args: Namespace) -> dict[str, int]:
    user = await _find(services, args.email)
    reason = RevokedReason.REVOKED_BY_OPERATOR
    if args.session is None:
        return {"revoked": await sessions.revoke_all_sessions(services, user.id, reason)}
    if not await sessions.revoke_session(services, user.id, args.session, reason):
        raise CommandError(
            f"{user.email} has no live session with this id",
            f"list them: python -m app.manage user sessions {user.email}",
        )
    return {"revoked": 1}


async def issue_token(services: Services, args: Namespace) -> dict[str, str]:
    user = await _find(services, args.email)
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
        "expiresAt": _iso(issued.expires_at),
        "email": user.email,
        "sessionId": str(issued.session_id),
    }


async def token_status(services: Services, args: Namespace) -> dict[str, Any]:
    """Tell what the database knows of a token's `sub` and `sid`, read as JSON from stdin."""
    try:
        claims = json.load(sys.stdin)
        user_id, session_id = UUID(claims["sub"]), UUID(claims["sid"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise CommandError('write {"sub": "...", "sid": "..."} to stdin', exit_code=2) from None
    database = services.database
    user = await database.fetch_one(select(User.__table__).where(User.id == user_id))
    session = await database.fetch_one(select(Session.__table__).where(Session.id == session_id))
    return {
        "user": _shown(user) if user else None,
        "session": _shown_session(session) if session and session.user_id == user_id else None,
    }


def generate_password() -> str:
    """A random password that the rules accept."""
    while password_problem(password := secrets.token_urlsafe(15)):
        pass
    return password


def _read_password(args: Namespace) -> tuple[str, dict[str, str]]:
    """The password from stdin, or a generated one, which is also returned to be shown."""
    if not args.password_stdin:
        password = generate_password()
        return password, {"password": password}
    try:
        password = sys.stdin.readline().rstrip("\r\n")
        password.encode()  # some locales smuggle in what is not UTF-8 as lone surrogates
    except UnicodeError:
        raise CommandError("the password is not valid UTF-8", exit_code=2) from None
    if problem := password_problem(password):
        raise CommandError(f"the password {problem}", exit_code=2)
    return password, {}


def _canonical(email: str) -> str:
    try:
        return canonical_email(email)
    except ValueError as error:
        raise CommandError(f"EMAIL {error}", "for example ada@example.com", exit_code=2) from None


def _checked_name(name: str | None) -> str | None:
    if name is None:
        return None
    if not name.isprintable() or not 1 <= len(name.strip()) <= MAX_NAME_LENGTH:
        raise CommandError(f"--name must have 1 to {MAX_NAME_LENGTH} characters", exit_code=2)
    return name.strip()


async def _find(services: Services, email: str) -> AnyRow:
    return await administration.find_user_by_email(services, _canonical(email))


async def _store(
    services: Services, email: str, password: str, name: str | None, role: Role
) -> User:
    user = await new_user(services, email, password, name, role)
    try:
        async with services.database.transaction() as db:
            db.add(user)
    except IntegrityError:  # somebody else was faster
        raise email_taken() from None
    return user


def _shown(user: User | AnyRow) -> dict[str, Any]:
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "isActive": user.is_active,
        "createdAt": _iso(user.created_at),
    }


def _shown_session(session: AnyRow) -> dict[str, Any]:
    return {
        "id": str(session.id),
        "createdAt": _iso(session.created_at),
        "expiresAt": _iso(session.expires_at),
        "revokedAt": _iso(session.revoked_at) if session.revoked_at else None,
        "revokedReason": session.revoked_reason,
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
