"""`user …`: administering users and their sessions from the shell."""

import secrets
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.exc import IntegrityError

from app.accounts import administration, sessions
from app.accounts.emails import canonical_email
from app.accounts.events import list_events, record
from app.accounts.mails import MailKind
from app.accounts.models import AccountEvent, RevokedReason, Role, User
from app.accounts.names import MAX_NAME, is_harmless
from app.accounts.own_names import own_name_problem
from app.accounts.passwords import password_problem
from app.accounts.registration import email_taken, new_user
from app.accounts.tokens import token_hash
from app.foundation.database import AnyRow
from app.manage.commands import add_command, add_group, whole_number
from app.manage.errors import CommandError
from app.manage.output import facts
from app.security_events import SecurityEvent
from app.services import Services

SEARCHED: Final = (User.email, User.name)

ROLES: Final = [role.value for role in Role]


async def create(services: Services, args: Namespace) -> dict[str, Any]:
    name = None if args.name is None else checked_name(args.name)
    email, password, extra = canonical(args.email), None, dict[str, Any](invited=True)
    if not args.invite:
        password, extra = _read_password(services, args, email)
    return shown(await store(services, email, password, name, Role(args.role))) | extra


async def list_all(services: Services, args: Namespace) -> dict[str, Any]:
    wanted: list[ColumnElement[bool]] = []
    if args.active is not None:
        wanted.append(User.is_active.is_(args.active))
    if args.role:
        wanted.append(User.role == args.role)
    if args.search:
        wanted.append(or_(*(column.icontains(args.search, autoescape=True) for column in SEARCHED)))
    users, total = await administration.list_users(services, args.limit, args.offset, *wanted)
    page = [shown(user) for user in users]
    return {"users": page, "total": total, "limit": args.limit, "offset": args.offset}


async def show(services: Services, args: Namespace) -> dict[str, Any]:
    user = await find(services, args.email)
    return shown(user) | {"sessions": len(await sessions.list_sessions(services, user.id))}


async def update(services: Services, args: Namespace, **changes: Any) -> dict[str, Any]:
    user = await find(services, args.email)
    return shown(await administration.update_user(services, user.id, **changes))


activate = partial(update, is_active=True)

deactivate = partial(update, is_active=False)


async def set_role(services: Services, args: Namespace) -> dict[str, Any]:
    return await update(services, args, role=Role(args.role))


async def set_password(services: Services, args: Namespace) -> dict[str, Any]:
    user = await find(services, args.email)
    password, generated = _read_password(services, args, user.email)
    await administration.set_password(services, user.id, password)
    return shown(user) | generated


async def list_sessions(services: Services, args: Namespace) -> dict[str, Any]:
    user = await find(services, args.email)
    rows = await sessions.list_sessions(services, user.id)
    names = ("id", "created_at", "last_used_at", "expires_at", "user_agent", "ip_address")
    return {"sessions": [facts(row, *names) for row in rows]}


async def show_events(services: Services, args: Namespace) -> dict[str, Any]:
    """Also the events of a former account with this address, which are kept for a while."""
    address = canonical(args.email)
    of_account = AccountEvent.user_id.in_(select(User.id).where(User.email == address))
    whose = of_account | (AccountEvent.email_hash == token_hash(address))
    rows, total = await list_events(services, whose, args.limit, args.offset)
    if not total:
        await find(services, address)
    names = ("created_at", "event", "ip_address", "user_agent", "session_id", "actor", "details")
    events = [facts(row, *names, "request_id") for row in rows]
    return {"events": events, "total": total, "limit": args.limit, "offset": args.offset}


async def revoke(services: Services, args: Namespace) -> dict[str, int]:
    user = await find(services, args.email)
    reason = RevokedReason.REVOKED_BY_OPERATOR
    if args.session is None:
        return {"revoked": await sessions.revoke_all_sessions(services, user.id, reason)}
    if not await sessions.revoke_session(services, user.id, args.session, reason):
        raise CommandError(
            f"{user.email} has no live session {args.session}",
            f"list them: python -m app.manage user sessions {user.email}",
        )
    return {"revoked": 1}


def generate_password() -> str:
    """A random password that the rules accept."""
    while password_problem(password := secrets.token_urlsafe(15)):
        pass
    return password


def _read_password(services: Services, args: Namespace, email: str) -> tuple[str, dict[str, str]]:
    """The password from stdin, or a generated one, which is also returned to be shown."""
    if not args.password_stdin:
        password = generate_password()
        return password, {"password": password}
    try:
        password = sys.stdin.readline().rstrip("\r\n")
        password.encode()  # some locales smuggle in what is not UTF-8 as lone surrogates
    except UnicodeError:
        raise CommandError("the password is not valid UTF-8", exit_code=2) from None
    own = own_name_problem(password, email, services.settings.app_name)
    if problem := password_problem(password) or own:
        raise CommandError(f"the password {problem}", exit_code=2)
    return password, {}


def canonical(email: str) -> str:
    try:
        return canonical_email(email)
    except ValueError as error:
        raise CommandError(f"EMAIL {error}", "for example ada@example.com", exit_code=2) from None


def checked_name(name: str) -> str:
    if not is_harmless(name) or not 1 <= len(name.strip()) <= MAX_NAME:
        problem = f"--name must have 1 to {MAX_NAME} characters, no control characters"
        raise CommandError(problem, exit_code=2)
    return name.strip()


async def find(services: Services, email: str) -> AnyRow:
    address = canonical(email)
    users, _ = await administration.list_users(services, 1, 0, User.email == address)
    if users:
        return users[0]
    raise CommandError(f"there is no user {address}", "list them: python -m app.manage user list")


async def store(
    services: Services, email: str, password: str | None, name: str | None, role: Role
) -> User:
    """Without a password, a link to set one is mailed."""
    user = await new_user(services, email, password, name, role)
    how: dict[str, Any] = {} if password else {"invited": True}
    try:
        async with services.database.transaction() as db:
            db.add(user)
            await db.flush()
            if how:
                await services.outbox.promise(db, MailKind.INVITATION, email, user_id=user.id)
            record(db, SecurityEvent.USER_CREATED, user.id, role=user.role, **how)
    except IntegrityError:  # somebody else was faster
        raise email_taken() from None
    return user


def shown(user: User | AnyRow) -> dict[str, Any]:
    return facts(user, "id", "email", "name", "role", "is_active", "created_at")


def add_commands(commands: Any) -> None:
    group = add_group(commands, "user", "administer users and their sessions")
    new = add_command(group, "create", create, "create a user", email=True)
    new.add_argument("--name")
    new.add_argument("--role", choices=ROLES, default=Role.USER.value)
    how = new.add_mutually_exclusive_group()
    _add_password_option(how)
    how.add_argument("--invite", action="store_true", help="mail a link to set the password")
    listing = add_command(group, "list", list_all, "list users, a page at a time")
    _add_page_options(listing)
    listing.add_argument("--search", metavar="TEXT", help="in an address or a name")
    listing.add_argument("--role", choices=ROLES)
    listing.add_argument("--active", action=BooleanOptionalAction, help="who may sign in")
    add_command(group, "show", show, "one user", email=True)
    add_command(group, "activate", activate, "let a user in again", email=True)
    add_command(group, "deactivate", deactivate, "lock a user out, at once", email=True)
    role = add_command(group, "set-role", set_role, "make an admin, or unmake one", email=True)
    role.add_argument("role", choices=ROLES)
    password = add_command(group, "set-password", set_password, "set a password", email=True)
    _add_password_option(password)
    add_command(group, "sessions", list_sessions, "where a user is signed in", email=True)
    happened = add_command(group, "events", show_events, "what happened to a user", email=True)
    _add_page_options(happened)
    ending = add_command(group, "revoke", revoke, "end sessions of a user", email=True)
    ending.add_argument("--session", type=UUID, metavar="ID", help="only this one")


def _add_page_options(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=whole_number, default=100)
    parser.add_argument("--offset", type=whole_number, default=0)


def _add_password_option(parser: Any) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true", help="read it from stdin, instead of making one"
    )
