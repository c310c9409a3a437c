"""Create or drop the project's PostgreSQL database. Runs in the project's environment.

A script, not a module of authkit's: `new` hands it to the project's Python, which has the driver,
in the project's root.
The URL comes on standard input, since it may hold a password. Prints `existed`, `created` or
`dropped`; on failure `error: …` and `hint: …`, like `python -m app.manage`.
"""

import asyncio
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

MAINTENANCE_DATABASE = "postgres"
HINT = (
    "start PostgreSQL, name another server with --database-url, "
    "or write the files alone: --no-install"
)


def plain_dsn(url: str) -> str:
    """`postgres://` and `postgresql+driver://` as asyncpg spells them, with what it understands."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        from app.foundation import database
    except ImportError:  # before 0.6.0
        from app import database
    # Templates before 0.2.0 hand the driver what they are given.
    driver_url = getattr(database, "driver_url", str)
    return str(driver_url("postgresql" + url[url.index("://") :]))


def quote_identifier(name: str) -> str:
    """A name for SQL: identifiers can't be sent as parameters."""
    return '"' + name.replace('"', '""') + '"'


async def ensure(dsn: str, name: str) -> str:
    """Leave the database as it is when it exists; otherwise create it."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except asyncpg.InvalidCatalogNameError:
        await create(dsn, name)
        return "created"
    await connection.close()
    return "existed"


async def create(dsn: str, name: str) -> None:
    """In UTF8, also on a server of another encoding, as installed without LANG: SQL_ASCII."""
    connection = await asyncpg.connect(dsn, database=MAINTENANCE_DATABASE, timeout=5)
    try:
        own = connection.get_settings().server_encoding
        utf8 = "" if own == "UTF8" else " ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0"
        await connection.execute(f"CREATE DATABASE {quote_identifier(name)}{utf8}")
    finally:
        await connection.close()


async def drop(dsn: str, name: str) -> str:
    """Take back what `ensure` created."""
    await execute(dsn, f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
    return "dropped"


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, database=MAINTENANCE_DATABASE, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def main() -> int:
    dsn = plain_dsn(sys.stdin.read().strip())
    name = unquote(urlsplit(dsn).path.removeprefix("/"))
    action = drop if sys.argv[1:] == ["drop"] else ensure
    try:
        print(asyncio.run(action(dsn, name)))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        print(f"error: PostgreSQL can't be used: {reason}\nhint: {HINT}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
