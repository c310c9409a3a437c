"""Runs the migrations on DATABASE_URL, one process at a time.

Several workers may start at once and all migrate: the first holds a lock until it has
committed, the others then find nothing left to do. A migration that fails leaves no trace.
"""

import asyncio
import sys
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, text

from app.config import load_settings
from app.foundation.database import Base, UtcDateTime, create_engine

# Each app/*/models.py adds its tables to Base.metadata; none can be forgotten here.
for models in sorted((Path(__file__).parents[1] / "app").glob("*/models.py")):
    import_module(f"app.{models.parent.name}.models")

LOCK = 7_366_121_906_471
"""Any number, the same for everyone who migrates this database."""


def run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        render_item=render_item,
        on_version_apply=report,
        render_as_batch=True,  # SQLite alters a table by making it anew
    )
    context.run_migrations()


def report(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Say what was done: Alembic itself is silent unless its logging is configured."""
    done = "applied" if step.is_upgrade else "took back"
    sys.stderr.write(f"{done} {step.up_revision_id}\n")


def render_item(kind: str, item: object, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write our column type into new migrations, with its import; False leaves it to Alembic."""
    if kind == "type" and isinstance(item, UtcDateTime):
        autogenerate.imports.add("from app.foundation.database import UtcDateTime")
        return "UtcDateTime()"
    return False


async def run_online() -> None:
    engine = create_engine(context.config.attributes.get("url") or load_settings().database_url)
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database; --sql is not supported.")
asyncio.run(run_online())
