"""Fills two databases and asks for pages. Runs in the generated project, with its interpreter.

Its argument is `{"urls": [small, large], "rows": N, "all": N}`; see `benchmarks/pages.py`.
"""

import asyncio
import json
import statistics
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from importlib import import_module
from typing import Annotated, Any

import httpx
from app.api.dependencies import CurrentUser, ServicesDep
from app.config import load_settings
from app.foundation.database import Database
from app.foundation.log import configure_logging
from app.notes.models import Note
from fastapi import FastAPI, Query
from sqlalchemy import select, text
from sqlalchemy.util import greenlet_spawn

helpers: Any = import_module("tests.helpers")  # those of the generated project
resources: Any = import_module("tests.resources")

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


async def milliseconds(client: httpx.AsyncClient, path: str, account: Any) -> float:
    started = time.perf_counter()
    response = await client.get(path, headers=account.headers)
    taken = (time.perf_counter() - started) * 1000
    # The deadline of 2 s is a time, too.
    if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        response.raise_for_status()
    return taken


async def compare(asked: dict[str, Any], small: FastAPI, large: FastAPI) -> None:
    add_offset(large)
    add_offset(small)
    async with helpers.connect(small) as few, helpers.connect(large) as many:
        ada, eve = await helpers.register(few), await helpers.register(many)
        await fill(asked["urls"][0], ada.id, 100, 0)
        started = time.perf_counter()
        await fill(asked["urls"][1], eve.id, asked["rows"], asked["all"])
        print(f"{asked['all']:,} rows in {time.perf_counter() - started:.0f} s", flush=True)
        paths: dict[str, str] = {}
        for share in DEPTHS:
            depth = int(asked["rows"] * share)
            query = "?limit=20"
            if depth:
                query = f"?cursor={await cursor_at(asked['urls'][1], eve.id, depth)}"
            paths[f"cursor {depth:>9,}"] = f"/api/notes{query}"
            paths[f"done=true {depth:>9,}"] = f"/api/notes{query}&done=true"
            paths[f"offset {depth:>9,}"] = f"/api/by-offset?offset={depth}"
        one = Asked(few, small, ada)
        print(f"page one of 100 rows: {await one.blocks('/api/notes')} blocks", flush=True)
        print("| page | blocks | ms | speed of page one of 100 rows |")
        print("| --- | ---: | ---: | ---: |", flush=True)
        for name, path in paths.items():
            await report(name, path, one, Asked(many, large, eve))


@dataclass(frozen=True)
class Asked:
    client: httpx.AsyncClient
    app: FastAPI
    account: Any

    async def milliseconds(self, path: str) -> float:
        return await milliseconds(self.client, path, self.account)

    async def blocks(self, path: str) -> str:
        """How much of the database a page takes: the same on a busy machine as on an idle one."""
        with resources.statements_of(self.app, "notes") as statements:
            await self.milliseconds(path)
        [(statement, parameters)] = statements

        def ask() -> Any:
            engine = helpers.services_of(self.app).database.engine.sync_engine
            with engine.connect() as connection:
                explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
                return connection.exec_driver_sql(explain, parameters).scalar_one()

        plan = await greenlet_spawn(ask)
        [found] = json.loads(plan) if isinstance(plan, str) else plan
        return f"{found['Plan']['Shared Hit Blocks'] + found['Plan']['Shared Read Blocks']:,}"


async def report(name: str, path: str, small: Asked, large: Asked) -> None:
    """By turns, request by request, after a round that warms up: others keep both equally busy."""
    rounds, taken = [], []
    for turn in range(ROUNDS + 1):
        pairs = [
            (await small.milliseconds("/api/notes"), await large.milliseconds(path))
            for _ in range(3 if "offset" in name and " 0" not in name else REQUESTS)
        ]
        if turn:
            one, other = map(statistics.median, zip(*pairs, strict=True))
            rounds.append(one / other)
            taken.append(other)
    speed = f"{statistics.median(rounds):.3f} ({min(rounds):.2f} to {max(rounds):.2f})"
    blocks = await large.blocks(path)
    print(f"| {name} | {blocks} | {statistics.median(taken):.2f} | {speed} |", flush=True)


async def main() -> None:
    configure_logging("error", "json")
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
