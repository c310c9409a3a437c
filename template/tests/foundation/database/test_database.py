"""The database: transactions, and what happens when it is away."""

import asyncio
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from app.accounts.models import User
from app.errors import Unavailable
from app.foundation.database import (
    POOL_SIZE,
    Database,
    StaleConnection,
    create_engine,
)
from app.foundation.database.outages import is_outage, unavailable
from tests.helpers import Account, Tables, connect, migrate, services_of, sign_in
from tests.patience import deadlines
from tests.services import needs_postgresql


async def test_a_transaction_is_all_or_nothing(database: Tables, ada: Account) -> None:
    async def fail() -> None:
        async with database.transaction() as db:
            await db.execute(update(User).values(name="Mallory"))
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        await fail()

    assert (await database.user()).name == "Ada Lovelace"


async def test_fetching_finds_one_or_none(database: Tables, ada: Account) -> None:
    found = await database.fetch_one(select(User.email).where(User.email == ada.email))

    assert found is not None
    assert found.email == ada.email
    assert await database.fetch_one(select(User).where(User.email == "nobody")) is None
    async with database.connection() as connection:
        assert await connection.run_sync(lambda sync: sync.scalar(select(1))) == 1


async def test_parallel_writers_queue(database: Tables, ada: Account) -> None:
    async def add(number: int) -> None:
        async with database.transaction() as db:
            name = await db.scalar(select(User.name).with_for_update())
            await asyncio.sleep(0)
            await db.execute(update(User).values(name=f"{name}{number % 10}"))

    await asyncio.gather(*[add(number) for number in range(20)])

    assert re.fullmatch(r"Ada Lovelace\d{20}", (await database.user()).name)


async def test_a_database_that_is_not_there_is_a_503(closed_port: int, tmp_path: Path) -> None:
    for url in (
        f"postgresql://user@127.0.0.1:{closed_port}/name",
        f"sqlite:///{tmp_path}/nowhere/app.db",
    ):
        away = Database(url)
        with pytest.raises(Unavailable):
            await away.fetch_all(select(1))
        with pytest.raises(Unavailable):
            await away.execute(text("DELETE FROM users"))
        with pytest.raises(Unavailable):
            async with away.transaction():
                raise AssertionError("there is no transaction")
        assert not await away.is_up()
        await away.close()


async def test_who_waits_in_line_for_too_long_gets_a_503(database: Tables) -> None:
    for _ in range(POOL_SIZE):
        await database._gate.acquire()

    with deadlines(database=0.2):
        assert not await database.is_up()

    for _ in range(POOL_SIZE):
        database._gate.release()
    assert await database.is_up()


@pytest.fixture
def locked_file(tmp_path: Path) -> Path:
    """An SQLite file, for tests of its locks."""
    migrate(f"sqlite:///{tmp_path}/locked.db")
    return tmp_path / "locked.db"


async def test_a_writer_waits_for_the_lock_of_another_process(
    start: Callable[..., Any], locked_file: Path
) -> None:
    app = await start(database_url=f"sqlite:///{locked_file}")
    other = sqlite3.connect(locked_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    client = connect(app)
    body = {"email": "ada@example.com", "password": "Correct-Horse-7"}
    writing = asyncio.create_task(client.post("/api/auth/register", json=body))

    assert (await client.get("/health/ready")).status_code == 200  # readers do not wait
    done, _ = await asyncio.wait([writing], timeout=0.1)
    assert not done
    other.execute("COMMIT")
    other.close()

    assert (await writing).status_code == 201
    assert await sign_in(client)


async def test_a_new_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    """Several workers that start at once all turn it into WAL, which takes the file for itself."""
    other = sqlite3.connect(tmp_path / "new.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    database = Database(f"sqlite:///{tmp_path}/new.db")
    reading = asyncio.create_task(database.fetch_one(text("PRAGMA journal_mode")))
    done, _ = await asyncio.wait([reading], timeout=0.1)
    assert not done
    other.execute("COMMIT")

    assert await reading == ("wal",)
    other.close()
    await database.close()


async def test_a_lock_that_is_not_let_go_is_a_503(
    start: Callable[..., Any], locked_file: Path
) -> None:
    app = await start(database_url=f"sqlite:///{locked_file}")
    other = sqlite3.connect(locked_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = services_of(app).database

    async def write() -> type[BaseException] | None:
        try:
            await database.execute(text("DELETE FROM users"))
        except Unavailable as error:
            return type(error)
        return None

    with deadlines(database=0.2):
        assert await asyncio.gather(*[write() for _ in range(12)]) == [Unavailable] * 12

    other.execute("COMMIT")
    other.close()
    assert await write() is None


async def test_a_mistake_of_ours_is_no_outage(database: Tables) -> None:
    """A missing table must not look like a database that may come back."""
    with pytest.raises(DBAPIError):
        await database.fetch_all(text("SELECT * FROM nowhere"))


class Refusal(Exception):
    """What a driver raises."""

    def __init__(self, sqlstate: str | None = None) -> None:
        self.sqlstate = sqlstate


def dbapi_error(sqlstate: str | None, *, invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, Refusal(sqlstate), connection_invalidated=invalidated)


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (dbapi_error("08006"), True),
        (dbapi_error("40001"), True),
        (dbapi_error("53300"), True),
        (dbapi_error("57P01"), True),
        (dbapi_error("28P01"), True),
        (dbapi_error("3D000"), True),
        (dbapi_error("25006"), True),
        (dbapi_error(None, invalidated=True), True),
        (dbapi_error("42P01"), False),
        (dbapi_error("22021"), False),
        (dbapi_error("57014"), True),
        (dbapi_error("57P05"), True),
        (dbapi_error("58030"), True),
        (dbapi_error("55P03"), True),
        (dbapi_error("25P03"), True),
        (dbapi_error("25P04"), True),
        (dbapi_error("25P02"), False),  # went on in a transaction that had failed
        (dbapi_error("55006"), False),
        (dbapi_error("0A000"), False),
        (dbapi_error(None), False),
        (OperationalError("SELECT", {}, sqlite3.OperationalError("no such table")), False),
        (ProgrammingError("SELECT", {}, Refusal("42601")), False),
        (IntegrityError("INSERT", {}, Refusal("23505"), connection_invalidated=True), False),
        (TimeoutError(), True),
        (ConnectionRefusedError(), True),
        (asyncpg.CannotConnectNowError(), True),
        (asyncpg.UndefinedTableError(), False),
    ],
    ids=repr,
)
def test_outages_are_told_from_mistakes(error: Exception, outage: bool) -> None:
    assert is_outage(error) is outage


def test_a_connection_that_died_in_the_pool_is_worth_a_retry() -> None:
    assert isinstance(unavailable(dbapi_error("08006", invalidated=True)), StaleConnection)
    assert not isinstance(unavailable(dbapi_error("53300")), StaleConnection)


async def test_a_reader_tries_a_stale_connection_once_more(
    database: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = database._run
    tries: list[float] = []

    async def stale_at_first(engine: Any, statement: Any, parameters: Any, deadline: float) -> Any:
        tries.append(deadline)
        if len(tries) == 1:
            raise StaleConnection("closed")
        return await run(engine, statement, parameters, deadline)

    monkeypatch.setattr(database, "_run", stale_at_first)

    assert await database.is_up()
    assert len(tries) == 2
    assert len(set(tries)) == 1  # within the one deadline


@needs_postgresql
@pytest.mark.parametrize(
    "query",
    [
        "?sslmode=disable&channel_binding=require",
        "?connect_timeout=15&sslmode=disable",
        "?channel_binding=require",
        "?sslmode=disable&channel_binding=require&application_name=app",
        "?keepalives=1&keepalives_idle=30&sslsni=1&gssencmode=disable&tcp_user_timeout=1000",
    ],
)
async def test_what_providers_put_into_their_urls_is_understood(
    database_url: str, query: str
) -> None:
    engine = create_engine(database_url + query)

    async with engine.connect() as connection:
        assert (await connection.execute(select(1))).scalar_one() == 1
    await engine.dispose()


async def test_closing_a_frozen_database_does_not_take_forever(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = services_of(app).database
    dispose = database.engine.dispose

    async def hang() -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(type(database.engine), "dispose", lambda self: hang())
    with deadlines(database=0.2):
        await database.close()

    monkeypatch.undo()
    await dispose()
