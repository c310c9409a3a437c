"""`token create`, `list` and `revoke`: personal tokens that an operator makes or ends."""

from argparse import ArgumentTypeError, Namespace
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.manage.commands import add_command, add_group, whole_number
from app.manage.errors import CommandError
from app.manage.output import facts
from app.manage.users import checked_name, find
from app.personal_tokens import tokens
from app.services import Services

SHOWN = ("id", "name", "prefix", "read_only", "created_at", "last_used_at", "expires_at")

MAX_DAYS = 366


async def create(services: Services, args: Namespace) -> dict[str, Any]:
    """Make a token; it is printed only once."""
    user = await find(services, args.email)
    if not user.is_active:
        fix = f"activate it first: python -m app.manage user activate {user.email}"
        raise CommandError(f"{user.email} is deactivated", fix)
    lifetime = timedelta(days=args.days)
    name = checked_name(args.name)
    made, text = await tokens.create_token(
        services, user.id, name, lifetime, read_only=args.read_only
    )
    return facts(made, *SHOWN) | {"email": user.email, "token": text}


async def list_all(services: Services, args: Namespace) -> dict[str, Any]:
    user = await find(services, args.email)
    return {"tokens": [facts(row, *SHOWN) for row in await tokens.list_tokens(services, user.id)]}


async def revoke(services: Services, args: Namespace) -> dict[str, Any]:
    user = await find(services, args.email)
    if not await tokens.revoke_token(services, user.id, args.id):
        raise CommandError(
            f"{user.email} has no token {args.id}",
            f"see which there are: python -m app.manage token list {user.email}",
        )
    return {"revoked": str(args.id), "email": user.email}


def _days(text: str) -> int:
    days = whole_number(text)
    if not 1 <= days <= MAX_DAYS:
        raise ArgumentTypeError(f"a token lives 1 to {MAX_DAYS} days, not {text}")
    return days


def add_commands(commands: Any) -> None:
    group = add_group(commands, "token", "issue a token, or ask about one")
    new = add_command(group, "create", create, "make a personal token", email=True)
    new.add_argument("--name", default="made by an operator", help="what it is for")
    new.add_argument("--days", type=_days, default=90, help="how long it lives")
    new.add_argument("--read-only", action="store_true", help="GET and HEAD only")
    add_command(group, "list", list_all, "the personal tokens of a user", email=True)
    ending = add_command(group, "revoke", revoke, "end a personal token", email=True)
    ending.add_argument("id", type=UUID, metavar="ID")
