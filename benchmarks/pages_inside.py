"""Fills two databases and asks for pages. Runs in the generated project, with its interpreter.

Its argument is `{"urls": [small, large], "rows": N, "all": N}`; see `benchmarks/pages.py`.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import import_module
from typing import Annotated, Any

import httpx
from app.api.dependencies import CurrentUser, ServicesDep
from app.config import load_settings
from app.foundation.database import Database
from app.notes.models import Note
from fastapi import FastAPI, Query
from sqlalchemy import select, text

helpers: Any = import_module("tests.helpers")  # those of the generated project

ROUNDS, REQUESTS = 5, 40
DEPTHS = (0.0, 0.01, 0.1, 0.5, 0.99)

USERS = """
INSERT INTO users (id, email, password_hash, role, is_active, created_at, updated_at)
SELECT gen_random_uuid(), 'bulk-' || n || '@example.com', 'x', 'user', true, now(), now()
FROM generate_series(1, 900) AS n
"""
OWN = """
INSERT INTO notes (id, user_id, title, done, version, created_at, updated_at)
SELECT gen_random_uuid(), CAST(:owner AS uuid), 'a note of some length, number ' || n, n % 3 = 0, 1,
       now() - random() * interval '300 days', now()
FROM generate_series(1, :count) AS n
"""
OTHERS = """
INSERT INTO notes (id, user_id, title, done, version, created_at, updated_at)
SELECT gen_random_uuid(), users.id, 'a note of some length, number ' || n, n % 3 = 0, 1,
       now() - random() * interval '300 days', now()
FROM users, generate_series(1, :count) AS n WHERE email LIKE 'bulk-%'
"""


FASTER = (
    "ALTER TABLE notes SET UNLOGGED",
    "ALTER TABLE notes DROP CONSTRAINT pk_notes",
    "SET session_replication_role = replica",  # no look-up of the owner for each row
    "SET maintenance_work_mem = '1GB'",
)
"""What is made at once need not be kept up row by row."""


def add_offset(app: FastAPI) -> None:
    """The list as it would be with an offset, for comparison."""

    @app.get("/api/by-offset")
    async def by_offset(
        user: CurrentUser, services: ServicesDep, offset: Annotated[int, Query()]
    ) -> list[dict[str, Any]]:
        rows = await services.database.fetch_all(
            select(Note.__table__)
            .where(Note.user_id == user.id)
            .order_by(Note.created_at.desc(), Note.id.desc())
            .limit(20)
            .offset(offset)
        )
        return [{"id": row.id, "title": row.title, "done": row.done} for row in rows]


async def fill(url: str, owner: str, own: int, everybody: int) -> None:
    """Without the indexes, which are made afterwards: that is faster."""
    database = Database(url)
    async with database.engine.connect() as connection:

        async def run(sql: str, **parameters: Any) -> None:
            await connection.execute(text(sql), parameters)

        found = await connection.execute(
            text("SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ix_notes%'")
        )
        indexes = found.all()
        for name, _ in indexes:
            await run(f"DROP INDEX {name}")
        for statement in FASTER:
            await run(statement)
        await run(USERS)
        await run(OWN, owner=owner, count=own)
        await run(OTHERS, count=max((everybody - own) // 900, 0))
        await run("ALTER TABLE notes ADD CONSTRAINT pk_notes PRIMARY KEY (id)")
        for _, definition in indexes:
            await run(definition)
        await run("VACUUM ANALYZE notes")
    await database.close()


async def cursor_at(url: str, owner: str, depth: int) -> str:
    database = Database(url)
    async with database.engine.connect() as connection:
        found = await connection.execute(
            text(
                "SELECT created_at, id FROM notes WHERE user_id = CAST(:owner AS uuid) "
                "ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET :depth"
            ),
            {"owner": owner, "depth": depth},
        )
        row = found.one()
    await database.close()
    return f"{round(row.created_at.timestamp() * 1e6):014x}{row.id.hex}"


async def milliseconds(client: httpx.AsyncClient, path: str, account: Any, n: int) -> float:
    """The median of some requests, one after the other."""
    taken = []
    for _ in range(n):
        started = time.perf_counter()
        response = await client.get(path, headers=account.headers)
        taken.append((time.perf_counter() - started) * 1000)
        if (
            response.status_code != HTTPStatus.SERVICE_UNAVAILABLE
        ):  # the deadline of 2 s: a time, too
            response.raise_for_status()
    return statistics.median(taken)


async def compare(asked: dict[str, Any], small: FastAPI, large: FastAPI) -> None:
    add_offset(large)
    add_offset(small)
    async with helpers.connect(small) as few, helpers.connect(large) as many:
        ada, eve = await helpers.register(few), await helpers.register(many)
        await fill(asked["urls"][0], ada.id, 100, 0)
        started = time.perf_counter()
        await fill(asked["urls"][1], eve.id, asked["rows"], asked["all"])
        print(f"{asked['all']:,} rows in {time.perf_counter() - started:.0f} s", flush=True)
        cases: dict[str, Callable[[], Awaitable[float]]] = {}

        def add(name: str, path: str, n: int = REQUESTS) -> None:
            cases[name] = lambda: milliseconds(many, path, eve, n)

        cases["small"] = lambda: milliseconds(few, "/api/notes", ada, REQUESTS)
        for share in DEPTHS:
            depth = int(asked["rows"] * share)
            cursor = await cursor_at(asked["urls"][1], eve.id, depth)
            query = f"?cursor={cursor}" if depth else "?limit=20"
            add(f"cursor {depth:>9,}", f"/api/notes{query}")
            add(f"done=true {depth:>9,}", f"/api/notes{query}&done=true")
            add(f"offset {depth:>9,}", f"/api/by-offset?offset={depth}", 3 if depth else REQUESTS)
        await report(cases)


async def report(cases: dict[str, Callable[[], Awaitable[float]]]) -> None:
    """In turns, after one that warms up; a ratio is that of two measured one after the other."""
    small = cases.pop("small")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for turn in range(ROUNDS + 1):
        for name, ask in cases.items():
            pair = (await small(), await ask())
            if turn:
                times[name].append(pair)
    print("| page | ms | speed of page one of 100 rows |\n| --- | ---: | ---: |")
    for name, pairs in times.items():
        taken = statistics.median(each for _, each in pairs)
        ratio = statistics.median(one / each for one, each in pairs)
        print(f"| {name} | {taken:.2f} | {ratio:.3f} |")


async def main() -> None:
    asked = json.loads(sys.argv[1])
    for url in asked["urls"]:
        await asyncio.to_thread(helpers.migrate, url)
    common = {
        "environment": "test",
        "rate_limit_enabled": "false",
        "redis_url": "",
        "log_level": "error",
    }
    small, large = (
        load_settings(
            _env_file=None, jwt_secret="x-" * 32, database_url=url, bcrypt_cost=4, **common
        )
        for url in asked["urls"]
    )
    async with helpers.running_app(small) as few, helpers.running_app(large) as many:
        await compare(asked, few, many)


if __name__ == "__main__":
    asyncio.run(main())
