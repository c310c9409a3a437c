"""Runs the migrations on DATABASE_URL, one process at a time.

Several workers may start at once and all migrate: the first holds a lock until it has
committed, the others then find nothing left to do. All migrations of a run are one transaction:
one that fails leaves no trace.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from app.config import load_settings
from app.foundation.database import (
    Base,
    UtcDateTime,
    WrongDatabase,
    advice,
    create_engine,
    is_outage,
    sentence,
)
from app.foundation.database.decimals import ExactDecimal

# Each models.py adds its tables to Base.metadata; none can be forgotten here.
ROOT = Path(__file__).parents[1]
for models in sorted((ROOT / "app").rglob("models.py")):
    import_module(".".join(models.relative_to(ROOT).with_suffix("").parts))

LOCK = 7_366_121_906_471
"""Any number, the same for everyone who migrates this database."""

done: list[str] = []
"""What this run did, in the order in which it did it."""


def run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        render_item=render_item,
        include_object=is_ours,
        on_version_apply=report,
        render_as_batch=True,  # SQLite alters a table by making it anew
    )
    context.run_migrations()
    if done and connection.dialect.name == "sqlite":
        refuse_dangling_rows(connection)


def is_ours(
    _item: object, name: str | None, kind: str, reflected: bool, compared_to: object
) -> bool:
    """Leave alone the tables of a part that was removed: its rows were kept, its models are gone.

    Else the next migration that Alembic writes would drop them. The migration of a part names
    them, in `part_tables`.
    """
    if kind != "table" or not reflected or compared_to is not None:
        return True
    migrations = context.script.walk_revisions()
    return not any(name in getattr(each.module, "part_tables", ()) for each in migrations)


def report(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Note what was done: Alembic itself is silent unless its logging is configured."""
    did = "applied" if step.is_upgrade else "took back"
    done.append(f"{did} {step.up_revision_id}\n")


def ignore_foreign_keys(connection: Any, _record: object) -> None:
    """Keep SQLite from deleting the rows that refer to a table while that is made anew.

    The old table is dropped, and with foreign keys enforced that deletes its rows first: each
    ON DELETE CASCADE takes the children along. On connecting, since in a transaction SQLite ignores
    the pragma.
    """
    connection.execute("PRAGMA foreign_keys = OFF")


def refuse_dangling_rows(connection: Connection) -> None:
    """Check what was not enforced meanwhile. The error rolls everything back."""
    found = connection.exec_driver_sql("PRAGMA foreign_key_check")
    dangling = Counter((table, parent) for table, _, parent, _ in found)
    if dangling:
        rows = ", ".join(
            f"{count} of {table} (to {parent})" for (table, parent), count in dangling.items()
        )
        raise CommandError(
            f"rows would refer to rows that are missing: {rows}; nothing was changed. "
            "On SQLite nothing cascades in a migration: delete or correct these rows in it as well"
        )


def render_item(kind: str, item: object, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write our column types into new migrations, with their import; False leaves it to Alembic."""
    if kind == "type" and isinstance(item, ExactDecimal):
        autogenerate.imports.add("from app.foundation.database.decimals import ExactDecimal")
        return f"ExactDecimal({item.precision}, {item.scale})"
    if kind == "type" and isinstance(item, UtcDateTime):
        autogenerate.imports.add("from app.foundation.database import UtcDateTime")
        return "UtcDateTime()"
    return False


def what_to_do(error: DBAPIError) -> str:
    """About what no migration can help: rights, tables of somebody else, and outages."""
    said = sentence(error)
    if getattr(error.orig, "sqlstate", None) == "42501":  # insufficient privilege
        return (
            "migrate as the role that owns the database and its tables, "
            "or let this one create: GRANT CREATE ON SCHEMA public TO it"
        )
    if said.endswith(" already exists"):  # SQLite has one code for all
        return (
            "it is not from these migrations: name a database of this API's own in DATABASE_URL, "
            "or rename what is there"
        )
    if is_outage(error):  # not a mistake in a migration, which is shown whole
        return advice(error) or (
            "nothing was changed; correct DATABASE_URL, or the database, and try again"
        )
    return ""


async def run_online() -> None:
    engine = create_engine(context.config.attributes.get("url") or load_settings().database_url)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", ignore_foreign_keys)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    except WrongDatabase as error:
        raise CommandError(f"the database {error.problem}; {error.fix}") from None
    except DBAPIError as error:
        if fix := what_to_do(error):
            raise CommandError(f"the database refuses: {sentence(error)}; {fix}") from error
        raise
    except (OSError, TimeoutError) as error:
        raise CommandError(
            "the database does not answer; start it, or correct DATABASE_URL"
        ) from error
    finally:
        await engine.dispose()
    sys.stderr.write("".join(done))


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database; --sql is not supported.")
asyncio.run(run_online())
