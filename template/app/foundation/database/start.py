"""The checks of a database before its use: at the start, and by `check`."""

import os
import re
import sys
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.errors import Unavailable
from app.foundation.database.outages import WrongDatabase, sentence
from app.foundation.database.sections import Database

logger = structlog.get_logger()

_ALLOWED_CONNECTIONS: Final = text(
    """
    SELECT least(
        CASE WHEN NOT rolsuper AND rolconnlimit >= 0 THEN rolconnlimit END,
        CASE WHEN NOT rolsuper AND datconnlimit >= 0 THEN datconnlimit END,
        current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0)
    )
    FROM pg_roles, pg_database
    WHERE rolname = session_user AND datname = current_database()
    """
)
"""NULL is no limit: `least` passes over it."""

_WORKERS_OPTION: Final = re.compile(r"(?<!\S)(?:--workers[= ]|-w[= ]?)(\d{1,5})(?!\S)")

_USER_VERSION: Final = text("PRAGMA user_version")


class UnusableDatabase(Exception):
    """The API does not start: waiting would not make this database usable."""


async def check_at_start(database: Database) -> None:
    """Refuse to start on a database that can't be used; warn of too few connections.

    One that does not answer now may later: requests are answered 503 until then.

    Raises:
        UnusableDatabase: naming the setting, what is wrong, and what to do.
    """
    try:
        shortage = await connection_shortage(database)
    except WrongDatabase as error:
        raise UnusableDatabase(f"DATABASE_URL: the database {error.problem}; {error.fix}") from None
    except Unavailable:
        return
    except DBAPIError as error:
        raise UnusableDatabase(f"DATABASE_URL: the database refuses: {sentence(error)}") from None
    if shortage:
        logger.warning("settings.risk", setting="DATABASE_POOL_SIZE", risk=shortage)


async def connection_shortage(database: Database) -> str | None:
    """Whether the role may have fewer connections than the workers would take, and what to do."""
    if not database.is_postgresql:
        await database.fetch_one(_USER_VERSION)
        return None
    row = await database.fetch_one(_ALLOWED_CONNECTIONS)
    await database.begin_and_end()
    if row is None or await database.is_behind_pooler():  # the pooler's connections are counted
        return None
    workers = _workers()
    wanted = database.pool_size * workers
    if wanted <= row[0]:
        return None
    each = f" each of {workers} workers" if workers > 1 else ""
    return (
        f"is {database.pool_size}{each}, and the role may have {row[0]} connections; lower it, "
        "or ALTER ROLE … CONNECTION LIMIT, max_connections"
    )


async def write_nothing(database: Database) -> None:
    """Write the value that is there already, to notice an SQLite file that can only be read.

    Raises:
        Unavailable: it can't be written; the cause says why.
    """
    if not database.is_postgresql:
        row = await database.fetch_one(_USER_VERSION)
        version = int(row[0]) if row else 0
        await database.execute(text(f"PRAGMA user_version = {version:d}"))


def _workers() -> int:
    """The number of this server's workers: `--workers` comes before WEB_CONCURRENCY."""
    named = _WORKERS_OPTION.search(" ".join(sys.argv[1:]))
    count = named[1] if named else os.environ.get("WEB_CONCURRENCY", "")
    return int(count) if count.isdecimal() else 1
