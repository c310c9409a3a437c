#!/usr/bin/env bash
# Versions: alembic 1.20.1, SQLAlchemy 2.1.9, the sqlite3 module of the python3 at hand.
# Done: on a connection with PRAGMA foreign_keys=ON, a batch operation made one column of a parent
#   table NOT NULL; a child table refers to the parent with ON DELETE CASCADE.
# Came: no error and no warning, the parent's rows are all there, and the child's rows are all gone.
# Expected: an error. Alembic's documentation ("Running Batch Migrations for SQLite and Other
#   Databases", on referencing foreign keys) asks for the pragma to be off, because dropping a table
#   that others refer to would raise one. With ON DELETE CASCADE nothing raises: DROP TABLE first
#   performs an implicit DELETE (SQLite, "SQLite Foreign Key Support", section 5), which cascades.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check alembic==1.20.1 sqlalchemy==2.1.9
"$folder/venv/bin/python" - <<'PY'
import sqlite3
import sys
import warnings
from importlib.metadata import version

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

print("alembic", version("alembic"), "SQLAlchemy", sa.__version__, "SQLite", sqlite3.sqlite_version)
warnings.simplefilter("error")


def migrate(on_delete: str) -> tuple[str, int, int]:
    """Make users.name NOT NULL; say how it ended and how many parents and children are left."""
    engine = sa.create_engine("sqlite://")
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys=ON"))
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)",
            f"CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) {on_delete})",
            "INSERT INTO users VALUES (1, 'a'), (2, 'b')",
            "INSERT INTO notes VALUES (1, 1), (2, 1), (3, 2)",
        ):
            connection.exec_driver_sql(statement)
    outcome = "no error"
    try:
        with engine.begin() as connection:
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("users") as batch:
                batch.alter_column("name", existing_type=sa.Text(), nullable=False)
    except sa.exc.IntegrityError as error:
        outcome = str(error.orig)
    with engine.connect() as connection:
        users, notes = (
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in ("users", "notes")
        )
    return outcome, users, notes


plain, cascade = migrate(""), migrate("ON DELETE CASCADE")
print("without ON DELETE:     (outcome, users, notes) =", plain)
print("with ON DELETE CASCADE:(outcome, users, notes) =", cascade)
if plain != ("FOREIGN KEY constraint failed", 2, 3):
    sys.exit("this has changed: without ON DELETE, the documented error was raised")
if cascade != ("no error", 2, 0):
    sys.exit("this has changed: with ON DELETE CASCADE, the three notes were deleted without an error")
PY
