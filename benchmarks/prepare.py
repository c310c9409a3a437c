"""Fills a database for the benchmarks. Runs in the generated project, with its interpreter.

Reads from standard input `{"users": N, "bulk": N, "password": "..."}` and prints
`{"emails": [...], "access": [...], "refresh": [...]}`: users who all have that password, with one
session each. `bulk` more users with one session each are only stored.
"""

import asyncio
import json
import sys
from uuid import uuid4

from app.accounts.models import User
from app.accounts.sessions import Device, open_session
from app.config import load_settings
from app.services import Services, close_services, open_services
from sqlalchemy import text

BULK_USERS = """
    INSERT INTO users (id, email, name, password_hash, role, is_active, created_at, updated_at)
    SELECT gen_random_uuid(), 'bulk-' || n || '@example.com', 'Bulk', :hash, 'user', true, now(),
           now()
    FROM generate_series(1, :count) AS n
"""

BULK_SESSIONS = """
    INSERT INTO refresh_tokens
           (id, user_id, token_id, token_hash, created_at, rotated_at, expires_at)
    SELECT gen_random_uuid(), id, gen_random_uuid(), md5(email) || md5(name || email), now(), now(),
           now() + interval '7 days'
    FROM users WHERE name = 'Bulk'
"""


BATCH = 100
"""Users in a transaction: all of them would take longer than a transaction may."""


async def add_users(services: Services, count: int, password_hash: str) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {"emails": [], "access": [], "refresh": []}
    for start in range(0, count, BATCH):
        async with services.database.transaction() as db:
            users = [
                User(email=f"{uuid4().hex}@example.com", name="Ada", password_hash=password_hash)
                for _ in range(min(BATCH, count - start))
            ]
            db.add_all(users)
            await db.flush()
            for user in users:
                tokens = open_session(db, services, user.id, Device("127.0.0.1", "benchmark"))
                made["emails"].append(user.email)
                made["access"].append(tokens.access_token)
                made["refresh"].append(tokens.refresh_token)
    return made


async def add_bulk(services: Services, count: int, password_hash: str) -> None:
    """Past the deadline that a request has, so on a connection of its own."""
    async with services.database.engine.connect() as connection:
        parameters = {"count": count, "hash": password_hash}
        await connection.execute(text(BULK_USERS), parameters)
        await connection.execute(text(BULK_SESSIONS))
        await connection.commit()


async def tidy(services: Services) -> None:
    """What autovacuum would do a minute later, in the middle of a measurement."""
    engine = services.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))


async def main() -> None:
    job = json.load(sys.stdin)
    services = open_services(load_settings())
    try:
        password_hash = await services.passwords.hash(job["password"])
        if job["bulk"]:
            await add_bulk(services, job["bulk"], password_hash)
        made = await add_users(services, job["users"], password_hash)
        if services.settings.uses_postgresql:
            await tidy(services)
    finally:
        await close_services(services)
    json.dump(made, sys.stdout)


asyncio.run(main())
