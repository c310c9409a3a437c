"""`python -m app.manage`: what its operators do with this API.

Data goes to standard output, as text or with `--json` as JSON; messages go to standard error.
Exit codes: 0 done, 1 failed (or `check` found something), 2 wrong usage.
"""

import argparse
import asyncio
import inspect
import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from app.accounts import administration
from app.accounts.models import Role
from app.accounts.services import Services, close_services, open_services
from app.config import SettingsError, load_settings
from app.errors import AppError, Unavailable
from app.log import configure_logging
from app.manage import backup, check, keys, users
from app.manage.errors import CommandError, reason_of
from app.manage.output import print_json, print_text

ROLES: Final = [role.value for role in Role]


async def _purge(services: Services, args: argparse.Namespace) -> dict[str, int]:
    return await administration.purge(services)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    configure_logging("critical", "console", stream="stderr")
    args = build_parser().parse_args(arguments)
    try:
        data = asyncio.run(_run(args))
    except CommandError as error:
        return _fail(str(error), error.hint, error.exit_code)
    except SettingsError as error:
        return _fail(str(error), "see .env.example for each setting")
    except Unavailable:
        return _fail("the database does not answer", "start it, or correct DATABASE_URL")
    except AppError as error:
        return _fail(error.detail.rstrip(".").lower())
    except DBAPIError as error:
        if _is_missing_table(error):
            return _fail("the database has no tables yet", "python -m alembic upgrade head")
        return _fail(f"the database refuses: {reason_of(error)}", "python -m app.manage check")
    (print_json if args.json else print_text)(data)
    return 1 if data and args.handler is check.check else 0


async def _run(args: argparse.Namespace) -> Any:
    """Call the command's function, with the services if it works with the accounts."""
    if not args.needs_services:
        result = args.handler(args)
        return await result if inspect.isawaitable(result) else result
    services = open_services(load_settings())
    try:
        return await args.handler(services, args)
    finally:
        await close_services(services)


def _fail(message: str, hint: str = "", exit_code: int = 1) -> int:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return exit_code


def _is_missing_table(error: DBAPIError) -> bool:
    return "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", "") == "42P01"


# ---- The commands ---------------------------------------------------------------------------


@cache
def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.manage", description="Operate this API's accounts, keys and data."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "seed", users.seed, "make the development users that are missing")
    _add_user_commands(_add_group(commands, "user", "administer users and their sessions"))
    _add_token_commands(_add_group(commands, "token", "issue a token, or ask about one"))
    _add_key_commands(_add_group(commands, "keys", "the secrets that sign tokens"))
    _add(commands, "purge", _purge, "delete expired sessions and reset links")
    _add(commands, "backup", backup.backup, "copy the SQLite file", services=False)
    checks = _add(commands, "check", check.check, "what is unsafe or missing", services=False)
    checks.add_argument("--production", action="store_true", help="as production would judge")
    _add(commands, "info", check.info, "the settings, secrets redacted", services=False)
    return parser


def _add_user_commands(group: Any) -> None:
    create = _add(group, "create", users.create, "create a user", email=True)
    create.add_argument("--name")
    create.add_argument("--role", choices=ROLES, default=Role.USER.value)
    _add_password_option(create)
    listing = _add(group, "list", users.list_all, "list users, a page at a time")
    listing.add_argument("--limit", type=_count, default=100)
    listing.add_argument("--offset", type=_count, default=0)
    _add(group, "show", users.show, "one user", email=True)
    _add(group, "activate", users.activate, "let a user in again", email=True)
    _add(group, "deactivate", users.deactivate, "lock a user out, at once", email=True)
    role = _add(group, "set-role", users.set_role, "make an admin, or unmake one", email=True)
    role.add_argument("role", choices=ROLES)
    password = _add(group, "set-password", users.set_password, "set a password", email=True)
    _add_password_option(password)
    _add(group, "sessions", users.list_sessions, "where a user is signed in", email=True)
    revoke = _add(group, "revoke", users.revoke, "end sessions of a user", email=True)
    revoke.add_argument("--session", type=UUID, metavar="ID", help="only this one")


def _add_token_commands(group: Any) -> None:
    issue = _add(group, "issue", users.issue_token, "an access token for a user", email=True)
    issue.add_argument("--ttl", type=_count, metavar="SECONDS", help="how long it lives")
    _add(group, "status", users.token_status, "what the database knows of {sub, sid} on stdin")


def _add_key_commands(group: Any) -> None:
    _add(group, "list", keys.list_keys, "the ids of the secrets", services=False)
    _add(group, "rotate", keys.rotate, "make a new signing secret", services=False)
    remove = _add(group, "remove", keys.remove, "forget an earlier secret", services=False)
    remove.add_argument("kid", metavar="KID")


def _add_group(commands: Any, name: str, help_text: str) -> Any:
    group = commands.add_parser(name, help=help_text, description=help_text.capitalize() + ".")
    return group.add_subparsers(required=True, metavar="COMMAND")


def _add(
    commands: Any,
    name: str,
    handler: Callable[..., Any],
    help_text: str,
    *,
    email: bool = False,
    services: bool = True,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
    )
    parser.set_defaults(handler=handler, needs_services=services)
    parser.add_argument("--json", action="store_true", help="print JSON")
    if email:
        parser.add_argument("email", metavar="EMAIL")
    return parser


def _add_password_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true", help="read it from stdin, instead of making one"
    )


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"not a whole number of at most nine digits: {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
