#!/usr/bin/env bash
# Versions: SQLAlchemy 2.1.9, asyncpg 0.32.0, psycopg 3.3.9; PostgreSQL 15.
# Done: the server raised the same conditions for both drivers: a cancelled query (57014), a lock
#   that is not to be had (55P03), a deadlock (40P01), a failed serialization (40001) and an invalid
#   text representation (22P02).
# Came: with psycopg OperationalError (DataError for the last), with asyncpg a plain DBAPIError for
#   every one; `except OperationalError` catches none of them.
# Expected: the same class from both. PEP 249 has OperationalError for what goes wrong in the
#   database's operation and DataError for problems with the data; SQLAlchemy's documentation
#   ("Core Exceptions") says that its classes wrap those of PEP 249.
#
# Needs a PostgreSQL: PGURL, or postgresql://postgres@127.0.0.1:5432/postgres. It changes nothing there.
set -euo pipefail

export PGURL=${PGURL:-postgresql://postgres@127.0.0.1:5432/postgres}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'sqlalchemy[asyncio]==2.1.9' asyncpg==0.32.0 'psycopg[binary]==3.3.9'
"$folder/venv/bin/python" - <<'PY'
import asyncio
import os
import sys
from importlib.metadata import version

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

print(*(f"{name} {version(name)}" for name in ("sqlalchemy", "asyncpg", "psycopg")))
WITH_PSYCOPG = {
    "57014": "OperationalError",
    "55P03": "OperationalError",
    "40P01": "OperationalError",
    "40001": "OperationalError",
    "22P02": "DataError",
}
URL = sa.make_url(os.environ["PGURL"])


async def classes(driver: str) -> dict[str, str]:
    engine = create_async_engine(URL.set(drivername=f"postgresql+{driver}"))
    seen = {}
    try:
        async with engine.connect() as connection:
            print(driver, "on PostgreSQL", await connection.scalar(sa.text("SHOW server_version")))
        for code in WITH_PSYCOPG:
            try:
                async with engine.begin() as connection:
                    await connection.exec_driver_sql(
                        f"DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '{code}'; END $$"
                    )
            except sa.exc.DBAPIError as error:
                seen[code] = type(error).__name__
                print(f"  {code}: {seen[code]}, its sqlstate {error.orig.sqlstate}")
    finally:
        await engine.dispose()
    return seen


try:
    psycopg, asyncpg = asyncio.run(classes("psycopg")), asyncio.run(classes("asyncpg"))
except (OSError, sa.exc.OperationalError) as error:
    sys.exit(f"no PostgreSQL answers at PGURL, so nothing was tried: {type(error).__name__}")
if psycopg != WITH_PSYCOPG:
    sys.exit("this has changed: psycopg's errors were of the classes of PEP 249")
if set(asyncpg.values()) != {"DBAPIError"}:
    sys.exit("this has changed: asyncpg's errors were all plain DBAPIError")
PY
