"""`user import`: users of another system, with their hashes."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from app.config import load_settings
from app.manage.commands import add_command, add_group
from app.manage.errors import CommandError
from app.user_import.moving_in import import_users
from app.user_import.rows import BadRow


async def import_all(args: Namespace) -> dict[str, Any]:
    url = load_settings().database_url
    try:
        outcome = await import_users(url, args.file, dry_run=args.dry_run, progress=_say)
    except BadRow as error:
        raise CommandError(
            f"{args.file}, {error}; nothing was imported", "correct the file; docs/import.md"
        ) from None
    except UnicodeDecodeError:
        raise CommandError(f"{args.file} is not UTF-8", "save it as UTF-8") from None
    except OSError as error:
        raise CommandError(f"{args.file} can't be read: {error.strerror}") from None
    return {
        "imported": outcome.imported,
        "thereAlready": outcome.there_already,
        "dryRun": args.dry_run,
    }


def _say(count: int) -> None:
    in_place = sys.stderr.isatty()
    text = f"\r{count:,} users\r" if in_place else f"{count:,} users\n"
    print(text, end="", file=sys.stderr, flush=True)


def add_commands(commands: Any) -> None:
    group = add_group(commands, "user", "administer users and their sessions")
    parser = add_command(group, "import", import_all, "users from elsewhere", services=False)
    parser.add_argument("file", type=Path, metavar="FILE", help="users.csv or users.jsonl")
    parser.add_argument("--dry-run", action="store_true", help="check the file, import nothing")
