"""Rows in the database of a generated project that has the recipe's notes."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any, Final

import asyncpg

TABLES: Final = ("users", "refresh_tokens", "notes")

FILL: Final = (
    """
    INSERT INTO users
      (id, email, password_hash, role, is_active, created_at, updated_at)
    VALUES
      ({uuid}, 'ada@example.org', 'x', 'user', true, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
      ({uuid}, 'eve@example.org', 'x', 'user', true, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)
    """,
    """
    INSERT INTO refresh_tokens
      (id, user_id, token_id, token_hash, created_at, rotated_at, expires_at)
    SELECT {uuid}, id, {uuid}, 'x', created_at, created_at, created_at FROM users
    """,
    """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 50)
    INSERT INTO notes ({columns})
    SELECT {uuid}, users.id, 'a note', CURRENT_TIMESTAMP {generated} FROM users, numbers
    """,
)

HANDWRITTEN: Final = "id, user_id, text, created_at"
GENERATED: Final = f"{HANDWRITTEN}, updated_at, version"


def fill(url: str, columns: str = HANDWRITTEN) -> None:
    """Two more users; then a session and fifty notes for each there is.

    `columns` are those of the notes: before 0.7.0 the recipe had the table written by hand.
    """
    uuid = "lower(hex(randomblob(16)))" if url.startswith("sqlite") else "gen_random_uuid()"
    generated = ", CURRENT_TIMESTAMP, 1" if columns == GENERATED else ""
    for statement in FILL:
        run_sql(url, statement.format(uuid=uuid, columns=columns, generated=generated))


def count_rows(url: str) -> dict[str, int]:
    return {table: run_sql(url, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}  # noqa: S608


def run_sql(url: str, statement: str) -> list[Any]:
    if url.startswith("sqlite"):
        file = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()
    return asyncio.run(run_on_postgres(url, statement))


async def run_on_postgres(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
