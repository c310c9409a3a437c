"""PostgreSQL as it is really run: behind a pooler, with limits on roles, while it is migrated."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from alembic import command
from fastapi import FastAPI
from sqlalchemy import TextClause, select, text, update

from app.accounts.models import User
from app.errors import Unavailable
from app.foundation.database import (
    Database,
    UnusableDatabase,
    WrongDatabase,
    connection_shortage,
    driver_url,
)
from tests.helpers import (
    GIVE_UP_SECONDS,
    PASSWORD,
    RUN,
    Account,
    Tables,
    alembic_config,
    connect,
    error_code,
    is_signed_in,
    make_scratch_database,
    refresh,
    register,
    services_of,
    sign_in,
)
from tests.live import Serve
from tests.manage.conftest import *  # noqa: F403 - its fixtures
from tests.manage.conftest import Manage
from tests.pooler import needs_pgbouncer, pooler_to, settings_to_try
from tests.services import TEST_DATABASE_URL, directly, needs_postgresql
from tests.test_migrations import start_migrating

pytestmark = needs_postgresql

Start = Callable[..., Awaitable[FastAPI]]


@pytest.fixture(params=settings_to_try())
def pooled_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    with pooler_to(database_url, tmp_path, request.param) as url:
        yield url


async def use_everything(client: httpx.AsyncClient, email: str) -> Account:
    """What users do: each of these was a 500 now and then."""
    account = await register(client, email)
    for _ in range(3):
        account = await refresh(client, await sign_in(client, email))
        assert await is_signed_in(client, account)
        change = {"name": secrets.token_hex(4)}
        changed = await client.patch("/api/users/me", json=change, headers=account.headers)
        assert changed.status_code == 200, changed.text
        body = {"currentPassword": PASSWORD, "newPassword": PASSWORD}
        url = "/api/users/me/change-password"
        changed = await client.post(url, json=body, headers=account.headers)
        assert changed.status_code == 200, changed.text
    return account


@needs_pgbouncer
async def test_all_works_behind_a_pooler(serve: Serve, pooled_url: str) -> None:
    async with serve(workers=2, database_url=pooled_url) as server, server.client() as client:
        names = [f"user-{number}@example.com" for number in range(8)]
        await asyncio.gather(*(use_everything(client, name) for name in names))
        assert (await client.get("/health/ready")).status_code == 200
        assert "InvalidSQLStatementNameError" not in server.log


@needs_pgbouncer
def test_migrations_work_behind_a_pooler(tmp_path: Path) -> None:
    """By one process after the other: each names its statements as the one before did."""
    empty = asyncio.run(make_scratch_database(TEST_DATABASE_URL))
    with pooler_to(empty, tmp_path) as url:
        for _ in range(2):
            migration = start_migrating(url)
            said = migration.communicate(timeout=GIVE_UP_SECONDS)
            assert migration.returncode == 0, said
        command.check(alembic_config(url))
        command.downgrade(alembic_config(url), "base")


@needs_pgbouncer
@directly
async def test_a_pooler_is_noticed(pooled_url: str, database_url: str) -> None:
    for url, pooled in ((pooled_url, True), (database_url, False)):
        database = Database(url)
        assert await database.is_behind_pooler() is pooled
        await database.close()


@needs_pgbouncer
async def test_a_pooler_can_be_told_of(pooled_url: str) -> None:
    database = Database(f"{pooled_url}?pgbouncer=true")
    assert await database.fetch_one(select(1)) == (1,)
    await database.close()


@directly
async def test_a_pooler_that_can_not_be_noticed_costs_nobody_a_read(database_url: str) -> None:
    """It hands on the process id of its first connection; later what was prepared is missing."""
    database = Database(database_url, 1)
    reads = [text("SELECT 1"), text("SELECT 2")]
    for _ in range(2):
        for number, read in enumerate(reads, 1):
            assert await database.fetch_one(read) == (number,)
        await database.fetch_all(text("DEALLOCATE ALL"))
    await database.execute(text("PREPARE nobodys AS SELECT 1"))
    assert await database.fetch_one(text("SELECT count(*) FROM pg_prepared_statements")) == (1,)
    await database.close()


@needs_pgbouncer
@directly
async def test_a_pooler_without_transactions_is_refused(
    database_url: str,
    tmp_path: Path,
    start: Start,
    manage: Manage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pooler_to(database_url, tmp_path, "pool_mode = statement\n") as url:
        with pytest.raises(UnusableDatabase, match=r"allows no transactions; set its pool_mode = "):
            await start(database_url=url)

        database = Database(url)
        assert await database.fetch_one(select(1)) == (1,)
        assert not await database.is_up()
        await database.close()

        monkeypatch.setenv("DATABASE_URL", url)
        [finding] = await asyncio.to_thread(findings, manage)
        assert (finding["id"], finding["fix"]) == ("database", "set its pool_mode = transaction")


@needs_pgbouncer
@directly
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("lock_timeout=77ms", "takes no lock_timeout for a connection; leave lock_timeout out"),
        ("work_mem=4MB", "takes no work_mem for a connection; leave work_mem out"),
        ("options=-c%20jit%3Doff", r"takes no (options|jit) for a connection; leave \1 out"),
        ("sslmode=require", "offers no TLS, and sslmode asks for it; switch"),
    ],
)
async def test_what_a_pooler_does_not_take_of_a_url_is_refused_at_the_start(
    start: Start, pooled_url: str, query: str, said: str
) -> None:
    """Not a 503 for each request, for good."""
    with pytest.raises(UnusableDatabase, match=f"DATABASE_URL: the database .*{said}"):
        await start(database_url=f"{pooled_url}?{query}")


CHANGES = ("varchar(120)", "text", "varchar(130)", "varchar(100)")


async def test_a_column_may_change_its_type_while_requests_come(
    start: Start, database_url: str
) -> None:
    await change_a_column_while_requests_come(await start(), database_url)


@needs_pgbouncer
async def test_a_column_may_change_its_type_behind_a_pooler(
    start: Start, database_url: str, pooled_url: str
) -> None:
    app = await start(database_url=pooled_url)
    await change_a_column_while_requests_come(app, database_url)

    # A restart comes to the connections that the pooler kept.
    again = connect(await start(database_url=pooled_url))
    assert await is_signed_in(again, await sign_in(again))


async def change_a_column_while_requests_come(app: FastAPI, database_url: str) -> None:
    client = connect(app)
    account = await register(client)
    stop = asyncio.Event()
    work = [asyncio.create_task(keep_asking(client, account, stop)) for _ in range(6)]
    tables = Tables(database_url, 1)
    for type_ in CHANGES:
        await asyncio.sleep(0.1)
        await tables.execute(text(f"ALTER TABLE users ALTER COLUMN name TYPE {type_}"))
    await asyncio.sleep(0.1)
    stop.set()

    statuses = {status for statuses in await asyncio.gather(*work) for status in statuses}
    await tables.close()

    # 503 is for who waited longer than the deadline for the change to be done.
    assert statuses - {503} == {200}


async def keep_asking(
    client: httpx.AsyncClient, account: Account, stop: asyncio.Event
) -> list[int]:
    statuses = []
    while not stop.is_set():
        for method, body in (("GET", None), ("PATCH", {"name": secrets.token_hex(4)})):
            response = await client.request(
                method, "/api/users/me", json=body, headers=account.headers
            )
            statuses.append(response.status_code)
    return statuses


async def read(database: Database, statement: Any) -> Any:
    return await database.fetch_one(statement)


async def write(database: Database, statement: Any) -> Any:
    [row] = await database.execute(statement)
    return row


async def write_in_transaction(database: Database, statement: Any) -> Any:
    async with database.transaction() as db:
        return (await db.execute(statement)).one()


@directly
@pytest.mark.parametrize("use", [read, write, write_in_transaction])
async def test_a_plan_that_a_migration_outdated_is_made_anew(
    database_url: str, ada: Account, use: Any
) -> None:
    """On the one connection, so that what was prepared is what is outdated."""
    database, other = Database(database_url, 1), Database(database_url, 1)
    statement = text("UPDATE users SET name = name RETURNING name")
    if use is read:
        statement = text("SELECT name FROM users")
    for type_ in CHANGES:
        assert tuple(await use(database, statement)) == ("Ada Lovelace",)
        await other.execute(text(f"ALTER TABLE users ALTER COLUMN name TYPE {type_}"))
        assert tuple(await use(database, statement)) == ("Ada Lovelace",)
    await database.close()
    await other.close()


@pytest.fixture
def counts(database_url: str) -> Iterator[TextClause]:
    """What reads a table of one number."""
    make = "CREATE TABLE test_counts (id int, count int); INSERT INTO test_counts VALUES (1, 7)"
    asyncio.run(run_on(database_url, make))
    yield text("SELECT id, count FROM test_counts")
    asyncio.run(run_on(database_url, "DROP TABLE test_counts"))


async def change_counts(database_url: str, type_: str) -> None:
    using = f"ALTER TABLE test_counts ALTER count TYPE {type_} USING count::{type_}"
    await run_on(database_url, using)


async def counts_of(database: Database, read: TextClause) -> set[str]:
    """By a read, and in a transaction."""
    [(_, alone)] = await database.fetch_all(read)
    async with database.transaction() as db:
        _, locked = (await db.execute(text(f"{read} FOR UPDATE"))).one()
    return {str(alone), str(locked)}


@directly
async def test_a_column_may_change_to_what_is_written_otherwise(
    database_url: str, counts: TextClause
) -> None:
    """A number of 4 bytes becomes one of 8, and a text: what was prepared would misread it."""
    database = Database(database_url, 2)
    assert await counts_of(database, counts) == {"7"}
    for type_ in ("bigint", "varchar(10)", "int"):
        await change_counts(database_url, type_)
        assert await counts_of(database, counts) == {"7"}
    await database.close()


@needs_pgbouncer
async def test_behind_a_pooler_no_type_is_taken_as_known_for_long(
    database_url: str, pooled_url: str, counts: TextClause
) -> None:
    database = Database(pooled_url, 2)
    assert await counts_of(database, counts) == {"7"}
    for type_ in ("bigint", "int"):
        await change_counts(database_url, type_)
        assert await counts_of(database, counts) == {"7"}
    await change_counts(database_url, "varchar(10)")
    await change_counts(database_url, "int")
    await change_counts(database_url, "varchar(10)")
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while await counts_of(database, counts) != {"7"}:
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.05)
    await database.close()


async def run_on(url: str, statement: str) -> None:
    connection = await asyncpg.connect(driver_url(url), statement_cache_size=0)
    await connection.execute(statement)
    await connection.close()


@asynccontextmanager
async def role_with(database_url: str, *options: str) -> AsyncIterator[str]:
    """The URL for a role that may do what the API does, with options like `CONNECTION LIMIT 5`
    and `SET lock_timeout = 100`."""
    role, password = f"role_{RUN}_{secrets.token_hex(4)}", secrets.token_hex(16)
    owner = await asyncpg.connect(driver_url(database_url), statement_cache_size=0)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    await owner.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    for option in options:
        await owner.execute(f"ALTER ROLE {role} {option}")
    parts = urlsplit(database_url)
    host = parts.netloc.rpartition("@")[2]
    try:
        yield parts._replace(netloc=f"{role}:{password}@{host}").geturl()
    finally:
        await owner.execute(f"DROP OWNED BY {role}")
        await owner.execute(f"DROP ROLE {role}")
        await owner.close()


@asynccontextmanager
async def locked(database_url: str, statement: str) -> AsyncIterator[None]:
    locker = await asyncpg.connect(driver_url(database_url), statement_cache_size=0)
    async with locker.transaction():
        await locker.execute(statement)
        yield
    await locker.close()


def is_unavailable(response: httpx.Response) -> bool:
    assert int(response.headers["retry-after"]) >= 1
    return (response.status_code, error_code(response)) == (503, "unavailable")


@directly
@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
async def test_what_takes_longer_than_the_role_may_is_a_503(
    start: Start, database_url: str, database: Tables, limit: str
) -> None:
    async with role_with(database_url, f"SET {limit} = 1500") as url:
        app = await start(database_url=url)
        client = connect(app)
        account = await register(client)
        async with locked(database_url, "SELECT * FROM users FOR UPDATE"):
            change = {"name": "Mallory"}
            for path, body in (
                ("/api/users/me", change),
                ("/api/auth/login", account.credentials),
            ):
                method = "PATCH" if body is change else "POST"
                response = await client.request(method, path, json=body, headers=account.headers)
                assert is_unavailable(response), response.text
        assert (await database.user()).name == "Ada Lovelace"
        assert len(await database.sessions()) == 1
        assert await is_signed_in(client, account)
        await services_of(app).outbox.close()  # it would connect again
        await services_of(app).database.close()


@directly
@pytest.mark.parametrize("limit", ["idle_in_transaction_session_timeout", "transaction_timeout"])
async def test_who_idles_in_a_transaction_for_longer_than_the_role_may_wrote_nothing(
    database_url: str, ada: Account, database: Tables, limit: str
) -> None:
    if not await database.fetch_all(
        text("SELECT 1 FROM pg_settings WHERE name = :name"), name=limit
    ):
        pytest.skip(f"needs {limit}: PostgreSQL 17 or newer")
    async with role_with(database_url, f"SET {limit} = 1000") as url:
        limited = Database(url)

        async def idle() -> None:
            async with limited.transaction() as db:
                await db.execute(update(User).values(name="Mallory"))
                raw = await (await db.connection()).get_raw_connection()
                driver: Any = raw.driver_connection
                closed = asyncio.Event()
                driver.add_termination_listener(lambda _: closed.set())
                await asyncio.wait_for(closed.wait(), GIVE_UP_SECONDS)

        with pytest.raises(Unavailable):
            await idle()
        assert (await limited.fetch_all(select(User.name))) == [("Ada Lovelace",)]
        await limited.close()


@directly
async def test_reads_and_writes_share_the_connections_of_a_role(
    serve: Serve, database_url: str
) -> None:
    """Two workers of two connections each, for a role that may have four."""
    async with (
        role_with(database_url, "CONNECTION LIMIT 4") as url,
        serve(workers=2, database_url=url, database_pool_size="2") as server,
        server.client() as client,
    ):
        names = [f"user-{number}@example.com" for number in range(12)]
        await asyncio.gather(*(use_everything(client, name) for name in names))


@directly
async def test_a_single_connection_is_enough(start: Start) -> None:
    app = await start(database_pool_size=1)
    client = connect(app)
    names = [f"user-{number}@example.com" for number in range(4)]
    await asyncio.gather(*(use_everything(client, name) for name in names))
    pool: Any = services_of(app).database.engine.pool
    assert pool.size() == 1
    assert pool.overflow() <= 0


@directly
async def test_fewer_connections_than_the_workers_take_are_warned_of(
    start: Start,
    manage: Manage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database_url: str,
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    async with role_with(database_url, "CONNECTION LIMIT 19") as url:
        capsys.readouterr()
        app = await start(database_url=url)
        said = capsys.readouterr().out
        assert "is 5 each of 4 workers, and the role may have 19 connections" in said
        await services_of(app).outbox.close()  # it would connect again
        await services_of(app).database.close()

        monkeypatch.setenv("DATABASE_URL", url)
        found = await asyncio.to_thread(findings, manage)
        assert [finding["id"] for finding in found] == ["database_pool_size"]
        monkeypatch.setenv("WEB_CONCURRENCY", "3")
        assert await asyncio.to_thread(findings, manage) == []


@directly
async def test_the_workers_of_a_server_are_counted(serve: Serve, database_url: str) -> None:
    async with (
        role_with(database_url, "CONNECTION LIMIT 9") as url,
        serve(workers=2, database_url=url) as server,
    ):
        assert "is 5 each of 2 workers, and the role may have 9 connections" in server.log


@directly
@pytest.mark.parametrize("options", ["--workers 4", "--workers=4", "-w 4", "-w4"])
async def test_the_workers_of_other_servers_are_counted(
    database_url: str, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    monkeypatch.setattr("sys.argv", ["gunicorn", "app.main:app", *options.split()])
    async with role_with(database_url, "CONNECTION LIMIT 19") as url:
        database = Database(url)
        assert "5 each of 4 workers" in str(await connection_shortage(database))
        await database.close()


def findings(manage: Manage) -> Any:
    return json.loads(manage("check").out)


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
async def narrow_url(request: pytest.FixtureRequest) -> str:
    """A database in an encoding that can't hold every name."""
    name = f"scratch_{RUN}_{secrets.token_hex(6)}"
    await run_on(
        TEST_DATABASE_URL,
        f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0",
    )
    return urlsplit(TEST_DATABASE_URL)._replace(scheme="postgresql", path=f"/{name}").geturl()


async def test_another_encoding_than_utf8_is_refused(
    narrow_url: str, start: Start, manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnusableDatabase, match=r"DATABASE_URL: .*createdb --encoding=UTF8 "):
        await start(database_url=narrow_url)

    database = Database(narrow_url)
    assert not await database.is_up()
    with pytest.raises(WrongDatabase):
        await database.fetch_one(select(1))
    await database.close()

    monkeypatch.setenv("DATABASE_URL", narrow_url)
    [finding] = await asyncio.to_thread(findings, manage)
    assert finding["id"] == "database"
    assert "which can't hold every name" in finding["message"]
    assert finding["fix"].startswith("createdb --encoding=UTF8 --locale=C --template=template0 ")


@directly
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("no.such_setting=1&options=-c%20nothing%3D1", 'parameter "nothing"'),
        ("statement_timeout=soon", 'parameter "statement_timeout"'),
    ],
)
async def test_what_the_server_refuses_of_a_url_is_refused_at_the_start(
    start: Start, database_url: str, query: str, said: str
) -> None:
    with pytest.raises(UnusableDatabase, match=f"DATABASE_URL: the database refuses: .*{said}"):
        await start(database_url=f"{database_url}?{query}")


@directly
@pytest.mark.parametrize("query", ["options=-c%20lock_timeout%3D77ms", "lock_timeout=77ms"])
async def test_settings_of_a_connection_may_stand_in_the_url(database_url: str, query: str) -> None:
    database = Database(f"{database_url}?{query}")
    assert await database.fetch_one(text("SHOW lock_timeout")) == ("77ms",)
    await database.close()


@directly
async def test_who_takes_no_writes_is_not_ready(database_url: str, ada: Account) -> None:
    """As a standby before its promotion."""
    database = Database(f"{database_url}?default_transaction_read_only=on")
    assert not await database.is_up()
    with pytest.raises(Unavailable):
        await database.execute(update(User).values(name="Mallory"))
    await database.close()
