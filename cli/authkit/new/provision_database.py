"""Create or drop the project's PostgreSQL database. Runs in the project's environment.

A script, not a module of authkit's: `new` hands it to the project's Python, which has the driver,
in the project's root.
The URL comes on standard input, since it may hold a password. Prints JSON: what became of it
(`created`, `existed`, `dropped` or `used`) and what an existing one holds; on failure `error: …`
and `hint: …`, like `python -m app.manage`.

Several may be at it at once, with one name. A lock on the server puts them in a row; whoever finds
a database notes on it that it is used, and whoever made it drops it only without such a note.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg

MAINTENANCE_DATABASE = "postgres"
HINT = (
    "start PostgreSQL, name another server with --database-url, "
    "or write the files alone: --no-install"
)
IN_A_ROW = "SELECT pg_advisory_lock(hashtext('authkit new ' || $1))"
USED = "found and used by authkit new"
ENDED_SECONDS = 3
"""How long the server may take to notice that our own processes have ended."""

OWN_TABLES = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = ANY (current_schemas(false)) AND relkind IN ('r', 'p', 'f', 'v', 'm')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                      AND objid = pg_class.oid AND deptype = 'e')
    ORDER BY relname
"""
"""Tables and views, but for those of an extension."""

Answer = dict[str, Any]


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


@asynccontextmanager
async def server(dsn: str, name: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may create and drop, alone with this name as long as it is open."""
    connection = await asyncpg.connect(dsn, database=MAINTENANCE_DATABASE, timeout=5)
    try:
        await connection.execute(IN_A_ROW, name)
        yield connection
    finally:
        await connection.close()


async def ensure(dsn: str, name: str) -> Answer:
    """Create the database; one that exists is looked at and left as it is."""
    try:
        async with server(dsn, name) as connection:
            if await create(connection, name):
                return {"became": "created"}
            found = await look(dsn)
            if not found["foreign"]:
                note = f"COMMENT ON DATABASE {quote_identifier(name)} IS '{USED}'"
                with suppress(asyncpg.InsufficientPrivilegeError):  # who owns it made it long ago
                    await connection.execute(note)
            return found
    except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidAuthorizationSpecificationError):
        return await look(dsn)  # this role may use its own database and nothing else


async def create(connection: asyncpg.Connection, name: str) -> bool:
    """In UTF8, also on a server of another encoding, as installed without LANG: SQL_ASCII."""
    if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        return False
    own = connection.get_settings().server_encoding
    utf8 = "" if own == "UTF8" else " ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0"
    try:
        await connection.execute(f"CREATE DATABASE {quote_identifier(name)}{utf8}")
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return False  # somebody who asks for no lock was faster
    return True


async def look(dsn: str) -> Answer:
    """What a database that exists holds: how many accounts, and whose tables."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        tables = [row["relname"] for row in await connection.fetch(OWN_TABLES)]
        foreign = [table for table in tables if table not in tables_of_the_project()]
        ours = "users" in tables and not foreign
        users = await connection.fetchval("SELECT count(*) FROM users") if ours else 0
    finally:
        await connection.close()
    return {"became": "existed", "tables": len(tables), "foreign": foreign, "users": users}


def tables_of_the_project() -> set[str]:
    from app.foundation.database import Base

    for models in sorted(Path("app").glob("*/models.py")):
        import_module(f"app.{models.parent.name}.models")
    return {"alembic_version", *Base.metadata.tables}


async def drop(dsn: str, name: str) -> Answer:
    """Take back what `ensure` created, unless somebody else uses it by now."""
    async with server(dsn, name) as connection:
        note = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1"
        if await connection.fetchval(note, name) is not None:
            return {"became": "used"}
        for _ in range(ENDED_SECONDS * 10):
            try:
                await connection.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)}")
            except asyncpg.ObjectInUseError:
                await asyncio.sleep(0.1)
            else:
                return {"became": "dropped"}
    return {"became": "used"}


def main() -> int:
    dsn = plain_dsn(sys.stdin.read().strip())
    name = unquote(urlsplit(dsn).path.removeprefix("/"))
    action = drop if sys.argv[1:] == ["drop"] else ensure
    try:
        print(json.dumps(asyncio.run(action(dsn, name))))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        print(f"error: PostgreSQL can't be used: {reason}\nhint: {HINT}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
