"""Taking users over into the database: all of a file, or none."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from app.accounts.models import User
from app.foundation.database import create_engine, utc_now
from app.user_import.rows import BadRow, NewUser, read_users

ROWS_AT_ONCE: Final = 1000

_COLUMNS: Final = [field.name for field in fields(NewUser) if field.name != "line"]


@dataclass(slots=True)
class Outcome:
    imported: int = 0
    there_already: int = 0


async def import_users(
    url: str, file: Path, *, dry_run: bool, progress: Callable[[int], None]
) -> Outcome:
    """Import in one transaction, on a connection of its own: requests' deadline is not for this.

    Who is there already stays as they are, so that an import can be repeated, and a large file can
    be imported in pieces.

    Raises:
        BadRow: nothing was imported.
    """
    outcome, seen = Outcome(), dict[str, int]()
    users = _each_once(read_users(file), seen)
    engine = create_engine(url)
    try:
        async with engine.connect() as connection, connection.begin() as everything:
            while chunk := list(islice(users, ROWS_AT_ONCE)):
                imported = await connection.run_sync(_take_over, chunk)
                outcome.imported += imported
                outcome.there_already += len(chunk) - imported
                progress(outcome.imported + outcome.there_already)
                await asyncio.sleep(0)  # SQLite awaits nothing, and Ctrl-C would come after the end
            if dry_run:
                await everything.rollback()
    finally:
        await engine.dispose()
    return outcome


def _take_over(connection: Connection, users: list[NewUser]) -> int:
    """Insert who is not there, also not by a registration meanwhile; returns how many that were.

    One statement: asking first who is there costs the client and PostgreSQL half as much again.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    unless_there = insert(User).on_conflict_do_nothing(index_elements=[User.email])
    new = connection.execute(unless_there.returning(User.id), [_row(user) for user in users])
    return len(new.all())


def _each_once(users: Iterator[NewUser], seen: dict[str, int]) -> Iterator[NewUser]:
    for user in users:
        if first := seen.get(user.email):
            raise BadRow(user.line, f"its address stands on line {first} as well")
        seen[user.email] = user.line
        yield user


def _row(user: NewUser) -> dict[str, object]:
    row = {name: getattr(user, name) for name in _COLUMNS}  # asdict would copy each value
    return row | {"id": uuid4(), "updated_at": utc_now()}
