"""A copy of the SQLite file, while the API runs: `python -m app.manage backup`.

`authkit migrate` and `authkit update` keep one before they change the schema. PostgreSQL has
`pg_dump`.
"""

import os
import re
import sqlite3
from argparse import Namespace
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import make_url
from sqlalchemy.util import asbool

from app.config import load_settings
from app.manage.commands import add_command
from app.manage.errors import CommandError

TIME: Final = "%Y%m%dT%H%M%SZ"

KEPT: Final = 3
"""A new copy takes the place of the oldest of these."""

ABANDONED: Final = timedelta(days=1)
"""An unfinished copy of this age is left over from a kill."""

LOCKED_SECONDS: Final = 5.0
"""How long another process may keep the file locked, for example to turn it into WAL."""


def backup(args: Namespace) -> dict[str, str | int | None]:
    """Copy the database beside itself; an empty one is not worth it."""
    settings = load_settings()
    if settings.uses_postgresql:
        raise CommandError(
            "the database is PostgreSQL, which has a command of its own for this",
            "docs/operate.md, “Back up and restore”, has it",
        )
    database = _file_of(settings.database_url)
    try:
        copy = _copy(database)
        deleted = _prune(database, copy) if copy else 0
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = "make room on its disk, and its directory writable for this user"
        if "locked" in str(reason):
            hint = "another process keeps it locked; try again when that has ended"
        raise CommandError(f"{database} can't be copied: {reason}", hint) from error
    return {"backup": str(copy) if copy else None, "deleted": deleted}


def _file_of(url: str) -> Path:
    """The file that `sqlite:///…` names, in a URI of its own with `?uri=true` (`sqlite:///file:…`)."""
    parsed = make_url(url)
    name = parsed.database or ""
    is_uri = name.startswith("file:") and asbool(parsed.query.get("uri", False))
    return Path(unquote(urlsplit(name).path) if is_uri else name).absolute()


def _copy(database: Path) -> Path | None:
    """Copy what is committed at this moment, by SQLite's online backup.

    A copy of the file alone would lack what is in the `-wal` beside it, and could be torn.
    """
    if not database.is_file():
        return None
    with closing(sqlite3.connect(database, timeout=LOCKED_SECONDS)) as source:
        if _is_empty(source):
            return None
        part, copy = _new_file(database)
        try:
            with closing(sqlite3.connect(part)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")  # one file, until it is used
            return part.rename(copy)
        except BaseException:
            part.unlink()
            raise


def _is_empty(source: sqlite3.Connection) -> bool:
    tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
    return source.execute(tables).fetchone() is None


def _new_file(database: Path) -> tuple[Path, Path]:
    """Make an empty file that only its owner can read: it will hold password hashes.

    It gets a temporary name, so nobody takes the remains of a kill for a copy; a complete copy gets
    the other name.
    """
    now = datetime.now(UTC).strftime(TIME)
    for number in count(1):
        suffix = f"-{number}" if number > 1 else ""  # of the same second
        copy = database.with_name(f"{database.name}.backup-{now}{suffix}")
        part = copy.with_name(f"{copy.name}.part")
        with suppress(FileExistsError):
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            if not copy.exists():
                return part, copy
            part.unlink()
    raise AssertionError  # the numbers do not end


def _prune(database: Path, new: Path) -> int:
    """Delete all copies but the last ones, and unfinished ones; returns how many copies. The new
    one counts as the last, even if the clock was wrong for the others.
    """
    name = re.compile(re.escape(database.name) + r"\.backup-(\d{8}T\d{6}Z)(?:-(\d+))?(\.part.*)?")
    found = [
        (match[1], int(match[2] or 1), path, match[3])
        for path in database.parent.iterdir()
        if (match := name.fullmatch(path.name)) and path.is_file() and path != new
    ]
    old = [path for _, _, path, part in sorted(found) if not part][: 1 - KEPT]
    abandoned = (datetime.now(UTC) - ABANDONED).strftime(TIME)
    for path in (*old, *(path for time, _, path, part in found if part and time < abandoned)):
        path.unlink()
    return len(old)


def add_commands(commands: Any) -> None:
    add_command(commands, "backup", backup, "copy the SQLite file", services=False)
