#!/usr/bin/env bash
# Versions: alembic 1.20.1, SQLAlchemy 2.1.9, the sqlite3 module of the python3 at hand.
# Done: a batch operation changed the type of one column of a table whose key is AUTOINCREMENT and
#   whose unique column is COLLATE NOCASE; neither column was part of the operation.
# Came: the new table has neither, without a warning (warnings are errors here). The number of a
#   deleted row is given again, and a second row that differs only in case is accepted.
# Expected: the new table differs in the changed column alone. Alembic's chapter on batch mode says
#   that the copy is made by reflection and names unnamed CHECK constraints as what that leaves out,
#   not these two; what they promise is in SQLite's documents "SQLite Autoincrement" (section 3) and
#   "Datatypes In SQLite" (section 7).
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


def after(migrated: bool) -> tuple[int, bool]:
    """The number of the next row, and whether an address in another case is accepted."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " email TEXT COLLATE NOCASE NOT NULL UNIQUE, age INTEGER)",
            "INSERT INTO users (email) VALUES ('ann@example.com'), ('bob@example.com')",
            "DELETE FROM users WHERE email = 'bob@example.com'",
        ):
            connection.exec_driver_sql(statement)
        if migrated:
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("users") as batch:
                batch.alter_column("age", existing_type=sa.Integer(), type_=sa.Text())
        print(connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'users'").scalar_one())
        number = connection.exec_driver_sql(
            "INSERT INTO users (email) VALUES ('cleo@example.com') RETURNING id"
        ).scalar_one()
        try:
            connection.exec_driver_sql("INSERT INTO users (email) VALUES ('ANN@example.com')")
        except sa.exc.IntegrityError:
            return number, False
        return number, True


before, now = after(migrated=False), after(migrated=True)
print("(next number, other case accepted) before the migration:", before, "after it:", now)
if before != (3, False):
    sys.exit("this has changed: before the migration SQLite counted on and compared without case")
if now != (2, True):
    sys.exit("this has changed: the migration dropped AUTOINCREMENT and COLLATE NOCASE")
PY
