"""Create the project's database or look at one that is there, and drop what was created.

Runs in the project's environment.

A script, not a module of authkit's: `new` hands it to the project's Python, which has the driver,
in the project's root. A SQLite file is only looked at: the first connection makes it.
The URL, or `file:` and the path, comes on standard input, since it may hold a password. Prints
JSON: what became of it (`created`, `missing`, `existed`, `dropped` or `used`) and what an existing
one holds; on failure `error: …` and `hint: …`, like `python -m app.manage`.

Several may be at it at once, with one name. A lock on the server puts them in a row; whoever finds
a database notes on it that it is used, and whoever made it drops it only without such a note.
"""

import asyncio
import json
import re
import sqlite3
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

TABLES = """
    SELECT nspname, relname, nspname = ANY (current_schemas(false)) AS in_reach
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f', 'v', 'm')
      AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                      AND objid = pg_class.oid AND deptype = 'e')
    ORDER BY nspname, relname
"""
"""Tables and views, but for those of the server and of an extension."""

FILE = "file:"
VERSION = "alembic_version"
REVISIONS = "SELECT version_num FROM alembic_version"
USERS = "SELECT count(*) FROM users"
REVISION = re.compile(r"""^revision(?::\s*str)?\s*=\s*["']([^"']+)""", re.MULTILINE)

Answer = dict[str, Any]


def plain_dsn(url: str) -> str:
    """`postgres://` and `postgresql+driver://` as asyncpg spells them, with what it understands."""
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

    async def first(query: str) -> list[Any]:
        return [row[0] for row in await connection.fetch(query)]

    try:
        found = await connection.fetch(TABLES)
        tables = [row["relname"] for row in found if row["in_reach"]]
        schemas = sorted({row["nspname"] for row in found if not row["in_reach"]})
        revisions = await first(REVISIONS) if VERSION in tables else []
        foreign = not_ours(tables, revisions)
        ours = "users" in tables and not foreign
        (users,) = await first(USERS) if ours else [0]
    finally:
        await connection.close()
    return existing(tables, foreign, users) | {"schemas": schemas}


def look_into_file(path: Path) -> Answer:
    """The same of a SQLite file."""
    if not path.exists():
        return {"became": "missing"}

    def first(query: str) -> list[Any]:
        return [row[0] for row in connection.execute(query)]

    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        tables = first("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY 1")
        tables = [name for name in tables if not name.startswith("sqlite_")]
        revisions = first(REVISIONS) if VERSION in tables else []
        foreign = not_ours(tables, revisions)
        (users,) = first(USERS) if "users" in tables and not foreign else [0]
    finally:
        connection.close()
    return existing(tables, foreign, users)


def existing(tables: list[str], foreign: list[str], users: int) -> Answer:
    found = {"became": "existed", "tables": len(tables), "foreign": foreign}
    return found | {"users": users, "schemas": []}


def not_ours(tables: list[str], revisions: list[str]) -> list[str]:
    """The tables that are another application's: all, unless our migrations have made them."""
    made = [REVISION.search(path.read_text("utf-8")) for path in Path("migrations").rglob("*.py")]
    if set(tables) - {VERSION} and not revisions:
        return tables
    if not set(revisions) <= {match[1] for match in made if match}:
        return tables
    return [table for table in tables if table not in tables_of_the_project()]


def tables_of_the_project() -> set[str]:
    from app.foundation.database import Base

    for models in sorted(Path("app").rglob("models.py")):
        import_module(".".join(models.with_suffix("").parts))
    return {VERSION, *Base.metadata.tables}


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
    sys.path.insert(0, str(Path.cwd()))
    url = sys.stdin.read().strip()
    action = drop if sys.argv[1:] == ["drop"] else ensure
    try:
        if url.startswith(FILE):
            answer = look_into_file(Path(url.removeprefix(FILE)))
        else:
            dsn = plain_dsn(url)
            answer = asyncio.run(action(dsn, unquote(urlsplit(dsn).path.removeprefix("/"))))
    except sqlite3.Error as error:
        hint = "hint: name another file with --database-url"
        print(f"error: {url.removeprefix(FILE)} can't be used: {error}\n{hint}", file=sys.stderr)
        return 1
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        print(f"error: PostgreSQL can't be used: {reason}\nhint: {HINT}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
