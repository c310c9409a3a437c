"""`python -m app.manage`: the operators' commands.

Data goes to standard output, as text or with `--json` as JSON; messages go to standard error.
Exit codes: 0 done, 1 failed (or `check` found something), 2 wrong usage.
"""

import argparse
import asyncio
import inspect
import sys
from functools import cache
from typing import Any

from sqlalchemy.exc import DBAPIError

from app import manage
from app.config import SettingsError, load_settings
from app.errors import AppError, Unavailable
from app.foundation.modules import modules_in
from app.manage.audit import audited
from app.manage.errors import CommandError, what_is_wrong
from app.manage.output import print_json, print_text
from app.services import close_services, open_services


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = build_parser().parse_args(arguments)
    try:
        with audited(args):
            data = asyncio.run(_run(args))
    except CommandError as error:
        return _fail(str(error), error.hint, error.exit_code)
    except SettingsError as error:
        return _fail(str(error), "see .env.example for each setting")
    except (Unavailable, DBAPIError) as error:
        if isinstance(error, DBAPIError) and _is_missing_table(error):
            return _fail("the database has no tables yet", "python -m alembic upgrade head")
        problem, fix = what_is_wrong(error)
        return _fail(f"the database {problem}", fix)
    except KeyboardInterrupt:
        return _fail("interrupted; what was not committed is taken back", exit_code=130)
    except AppError as error:
        about = f"{args.email}: " if "email" in args else ""
        return _fail(about + error.detail.rstrip(".").lower())
    (print_json if args.json else print_text)(data)
    return 1 if data and args.data_is_bad_news else 0


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


@cache
def build_parser() -> argparse.ArgumentParser:
    """Every module of this folder with `add_commands` adds its commands."""
    parser = argparse.ArgumentParser(
        prog="python -m app.manage", description="Operate this API's accounts, keys and data."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in modules_in(manage):
        if hasattr(module, "add_commands"):
            module.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
