#!/usr/bin/env bash
# Versions: asyncpg 0.32.0, psycopg 3.3.9 beside it, PostgreSQL 15.
# Done: asked PostgreSQL for a timestamp with time zone that never comes ('infinity'), for a usual
#   one, and for a range from the one to the other.
# Came: asyncpg gives the usual one with its zone, and infinity, also as the end of a range, as the
#   year 9999 without a zone: comparing the two, as in `expires_at > now`, raises TypeError.
#   psycopg refuses infinity with an error of its own that says so.
# Expected: what is of one type in the database is of one kind in Python: with a zone, or an error
#   that names the value. PostgreSQL, section 8.5.1.4: infinity is a value of that type, later than
#   all others, so who reads a column must expect it.
set -euo pipefail

PGURL=${PGURL:-postgresql://postgres@127.0.0.1:5432/postgres}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check asyncpg==0.32.0 'psycopg[binary]==3.3.9'
PGURL="$PGURL" "$folder/venv/bin/python" - <<'PY'
import asyncio
import os
import sys
from importlib.metadata import version

import asyncpg
import psycopg

print(*(f"{name} {version(name)}" for name in ("asyncpg", "psycopg")))
USUAL = "select '2026-11-28 12:00+00'::timestamptz"
NEVER = "select 'infinity'::timestamptz"
RANGE = "select tstzrange('2026-11-28 12:00+00', 'infinity')"


async def ask() -> tuple[object, ...]:
    connection = await asyncpg.connect(os.environ["PGURL"])
    try:
        return tuple([await connection.fetchval(query) for query in (USUAL, NEVER, RANGE)])
    finally:
        await connection.close()


usual, never, between = asyncio.run(ask())
print(f"asyncpg: {usual!r}\n  never: {never!r}\n  range: from {between.lower!r}\n         to   {between.upper!r}")
try:
    compared = str(never > usual)
except TypeError as error:
    compared = f"TypeError: {error}"
print(f"asyncpg: never > usual: {compared}")
with psycopg.connect(os.environ["PGURL"]) as connection:
    try:
        beside = repr(connection.execute(NEVER).fetchone())
    except psycopg.DataError as error:
        beside = f"DataError: {error}"
print(f"psycopg: {beside}")

zones = [value.tzinfo is not None for value in (usual, never, between.lower, between.upper)]
if zones != [True, False, True, False] or "TypeError" not in compared or "DataError" not in beside:
    print("this has changed: infinity had no zone with asyncpg, and was refused by psycopg")
    sys.exit(1)
PY
