#!/usr/bin/env bash
# Versions: SQLAlchemy 2.1.9, the sqlite3 module of the python3 at hand.
# Done: reflected two tables with a generated column: one whose next column, in the same line, has
#   a default in brackets, and one that uses the short form AS (...).
# Came: in the first the generated column's expression runs on to the last bracket of the line and
#   takes the next column's definition in; in the second the expression is empty. CREATE TABLE from
#   what was reflected is a syntax error for both.
# Expected: "price * count" in both. SQLite's document "Generated Columns" (section 2) says that
#   GENERATED ALWAYS may be left out; SQLAlchemy's documentation of Inspector.get_columns promises
#   the SQL text of the generated column under "computed".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.1.9
"$folder/venv/bin/python" - <<'PY'
import sqlite3
import sys

import sqlalchemy as sa

print("SQLAlchemy", sa.__version__, "SQLite", sqlite3.sqlite_version)
engine = sa.create_engine("sqlite://")
TABLES = {
    "one_line": "price INTEGER, count INTEGER, total INTEGER GENERATED ALWAYS AS (price * count) STORED,"
    " made TEXT DEFAULT (datetime('now'))",
    "short_form": "price INTEGER, count INTEGER, total INTEGER AS (price * count)",
}
seen = {}
with engine.begin() as connection:
    for table, columns in TABLES.items():
        connection.exec_driver_sql(f"CREATE TABLE {table} ({columns})")
        connection.exec_driver_sql(f"INSERT INTO {table} (price, count) VALUES (3, 4)")
        total = connection.exec_driver_sql(f"SELECT total FROM {table}").scalar_one()
        computed = {c["name"]: c.get("computed") for c in sa.inspect(connection).get_columns(table)}
        copy = sa.Table(table, sa.MetaData(), autoload_with=connection)
        copy.name = "copy"
        try:
            copy.create(connection)
            made = "created"
        except sa.exc.OperationalError as error:
            made = str(error.orig)
        seen[table] = (total, computed["total"]["sqltext"], made)
        print(f"{table}: SQLite computes {total}; SQLAlchemy read {seen[table][1]!r}; a copy: {made}")

if [value[0] for value in seen.values()] != [12, 12]:
    sys.exit("this has changed: SQLite computed 12 in both tables")
if seen["one_line"][1] != "price * count) STORED, made TEXT DEFAULT (datetime('now')":
    sys.exit("this has changed: the first expression took the next column in")
if seen["short_form"][1] != "":
    sys.exit("this has changed: the expression of the short form was empty")
if any("syntax error" not in value[2] for value in seen.values()):
    sys.exit("this has changed: neither table could be created again from its reflection")
PY
