"""The database: one engine, short sections, and a clear answer when it is away.

Requests use three calls. `fetch_one` and `fetch_all` read on an autocommit connection: no BEGIN and
COMMIT round trips. `execute` writes with one statement, and `transaction` is for writes that
belong together. Every section waits its turn in line, holds a connection for
milliseconds, and ends in 503 after `DEADLINE_SECONDS` however the database behaves.
"""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import asyncpg
import structlog
from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Executable,
    MetaData,
    Row,
    column,
    event,
    select,
    table,
)
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool
from sqlalchemy.types import TypeDecorator
from sqlalchemy.util import await_, greenlet_spawn

from app.errors import Unavailable

DEADLINE_SECONDS: Final = 2.0
"""The longest a section may last, waiting included, before the client gets its 503."""

POOL_SIZE: Final = 5
"""Connections at work in a worker. More makes each slower: the statements queue in PostgreSQL.

As many again may rest meanwhile, since each engine keeps its own.
"""

_REVISION: Final[Executable] = select(column("version_num")).select_from(table("alembic_version"))
"""Where Alembic keeps what it has applied."""

logger = structlog.get_logger()


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


AnyRow: TypeAlias = Row[*tuple[Any, ...]]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, on SQLite too, which stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Database:
    """Two engines, for reads and for transactions, and the line in front of them."""

    def __init__(self, url: str) -> None:
        # A connection that changes between autocommit and transactions says so each time: with one
        # pool for both, a write costs 7 % more, or a read 15 % if it is the one to change.
        self.engine = create_engine(url, autocommit=True)
        self._transactional = create_engine(url)
        # SQLAlchemy's pool lets newcomers overtake those who wait. A first-in-first-out gate of
        # the same size keeps the slowest reads near the median: p99 104 -> 22 ms.
        self._gate = asyncio.Semaphore(POOL_SIZE)

    async def fetch_one(self, statement: Executable, **parameters: Any) -> AnyRow | None:
        """Read at most one row."""
        rows = await self.fetch_all(statement, **parameters)
        return rows[0] if rows else None

    async def fetch_all(self, statement: Executable, **parameters: Any) -> Sequence[AnyRow]:
        """Read rows. A connection that died unnoticed in the pool costs one retry, not an error.

        Raises:
            Unavailable: the database did not answer within `DEADLINE_SECONDS`.
        """
        deadline = _deadline()
        try:
            return await self._run(self.engine, statement, parameters, deadline)
        except StaleConnection:
            return await self._run(self.engine, statement, parameters, deadline)

    async def execute(self, statement: Executable, **parameters: Any) -> Sequence[AnyRow]:
        """Write with one statement and commit; the rows are those of its RETURNING.

        Not on autocommit: a statement that waits, for a lock or in a frozen server, would be
        carried out after its client was told 503. A refresh token would be used up unseen.

        Raises:
            Unavailable: the database did not answer within `DEADLINE_SECONDS`.
        """
        return await self._run(self._transactional, statement, parameters, _deadline())

    async def _run(
        self,
        engine: AsyncEngine,
        statement: Executable,
        parameters: dict[str, Any],
        deadline: float,
    ) -> Sequence[AnyRow]:
        def run() -> Sequence[AnyRow]:
            with (
                engine.sync_engine.connect() as connection,
                _cut_at(deadline, timeout, connection),
            ):
                result = connection.execute(statement, parameters)
                rows = result.all() if result.returns_rows else ()
                connection.commit()  # on autocommit, nothing
                return rows

        async with self._turn(deadline) as timeout:
            # One greenlet for checkout, statement and return. With an AsyncConnection there are
            # three, and a read costs 10 % more.
            return await greenlet_spawn(run)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Run statements that succeed or fail together; commits when the block ends well.

        Raises:
            Unavailable: the database did not answer within `DEADLINE_SECONDS`.
        """
        async with (
            self._connection(self._transactional, _deadline()) as connection,
            AsyncSession(connection, expire_on_commit=False) as session,
        ):
            yield session
            await session.commit()

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Borrow an autocommit connection.

        Raises:
            Unavailable: the database did not answer within `DEADLINE_SECONDS`.
        """
        return self._connection(self.engine, _deadline())

    @asynccontextmanager
    async def _connection(
        self, engine: AsyncEngine, deadline: float
    ) -> AsyncIterator[AsyncConnection]:
        async with self._turn(deadline) as timeout, engine.connect() as connection:
            with _cut_at(deadline, timeout, connection.sync_connection):
                yield connection

    @asynccontextmanager
    async def _turn(self, deadline: float) -> AsyncIterator[asyncio.Timeout]:
        """Wait in line for a connection, not past the deadline. An outage inside becomes
        `Unavailable`."""
        try:
            async with asyncio.timeout_at(deadline) as timeout, self._gate:
                yield timeout
        except (DBAPIError, OSError, asyncpg.PostgresError) as error:
            if not _is_outage(error):
                raise
            raise _unavailable(error) from error

    async def is_up(self) -> bool:
        """Tell whether the database answers, and has been migrated."""
        try:
            return await self.fetch_one(_REVISION) is not None
        except (Unavailable, DBAPIError):
            return False

    async def close(self) -> None:
        """Take leave of the server; of a frozen one, without its answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE_SECONDS):
                await asyncio.gather(self.engine.dispose(), self._transactional.dispose())


def _deadline() -> float:
    return asyncio.get_running_loop().time() + DEADLINE_SECONDS


class StaleConnection(Unavailable):
    """A pooled connection turned out to be closed; the pool has been emptied, so a retry helps."""


@contextmanager
def _cut_at(
    deadline: float, timeout: asyncio.Timeout, connection: Connection | None
) -> Iterator[None]:
    """Cut the connection at the deadline: a frozen server answers no polite cancellation.

    It takes the place of the timeout, which stays for SQLite: that runs here, and waits for locks
    only.
    """
    driver = connection.connection.driver_connection if connection else None
    if not isinstance(driver, asyncpg.Connection):
        yield
        return
    timeout.reschedule(None)
    timer = asyncio.get_running_loop().call_at(deadline, driver.terminate)
    try:
        yield
    finally:
        timer.cancel()


_OUTAGE_SQLSTATES = (
    "08",  # connection exception
    "28",  # the password was changed on the server, or the role is locked out
    "3D",  # there is no such database, as while it is restored
    "40",  # rolled back: deadlock, serialization failure
    "53",  # insufficient resources: too many connections, disk full
    "57P",  # shut down, crashed, starting up
    "25006",  # read-only: a standby before its promotion
)


def _is_outage(error: Exception) -> bool:
    if isinstance(error, IntegrityError):
        return False
    if isinstance(error, OperationalError):  # SQLite: locked, full, unreadable
        return getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    origin = getattr(error, "orig", error)
    sqlstate = getattr(origin, "sqlstate", None)
    if sqlstate is None:
        return not isinstance(error, DBAPIError)
    return str(sqlstate).startswith(_OUTAGE_SQLSTATES)


def _unavailable(error: Exception) -> Unavailable:
    logger.error("database.unavailable", reason=type(getattr(error, "orig", error)).__name__)
    stale = isinstance(error, DBAPIError) and error.connection_invalidated
    return (StaleConnection if stale else Unavailable)("The database does not answer. Try again.")


_LIBPQ_ONLY: Final = re.compile(
    r"(?<=[?&])(channel_binding|connect_timeout|gssencmode|keepalives\w*|sslsni|tcp_user_timeout)"
    r"=[^&]*&?"
)


def driver_url(url: str) -> str:
    """Leave out what providers put into their URLs for libpq.

    asyncpg reads the URL itself, so sslmode, hosts and .pgpass work as with libpq; but what it does
    not know it sends to the server, which refuses it.
    """
    return _LIBPQ_ONLY.sub("", url).rstrip("?&")


def create_engine(url: str, *, autocommit: bool = False) -> AsyncEngine:
    """Build the engine for `postgresql://...` or `sqlite:///file`."""
    is_sqlite = url.startswith("sqlite")
    transactional = "SERIALIZABLE" if is_sqlite else "READ COMMITTED"  # the default of each
    options: dict[str, Any] = {
        "isolation_level": "AUTOCOMMIT" if autocommit else transactional,
        "pool_size": POOL_SIZE,
        "max_overflow": 0,
        "hide_parameters": True,  # a traceback in the log shows no hashes and addresses
    }
    if is_sqlite:
        return _create_sqlite_engine(url, options)

    async def connect() -> Any:
        return await asyncpg.connect(driver_url(url), timeout=DEADLINE_SECONDS)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)
    event.listen(engine.sync_engine, "checkout", _replace_closed)
    return engine


def _replace_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Hand out no connection that the server is known to have closed; asks nobody."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


# ---- SQLite ---------------------------------------------------------------------------------


class SQLiteOnTheLoop(SQLiteDialect_pysqlite):
    """Python's own sqlite3, called straight from the event loop.

    A statement on a local file takes some ten microseconds, less than handing it to a thread
    and back: reads are three times as fast as through aiosqlite. Nothing here waits for a
    lock on the loop: see `_begin_immediate`.
    """

    driver = "loop"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: Any) -> type[Pool]:
        return AsyncAdaptedQueuePool


registry.register("sqlite.loop", __name__, SQLiteOnTheLoop.__name__)


def _create_sqlite_engine(url: str, options: dict[str, Any]) -> AsyncEngine:
    engine = create_async_engine(
        url.replace("sqlite://", "sqlite+loop://", 1),
        **options,
        connect_args={"check_same_thread": False, "timeout": 0.02},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in (
        "journal_mode = WAL",  # readers and the writer don't wait for each other
        "synchronous = NORMAL",  # safe against a crash of the process; no fsync a commit
        "foreign_keys = ON",
    ):
        _once_unlocked(connection.execute, f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at the start, so that two writers queue instead of failing midway."""
    driver: Any = connection.connection.driver_connection
    if driver.isolation_level is not None:  # None is autocommit
        _once_unlocked(connection.exec_driver_sql, "BEGIN IMMEDIATE")


def _once_unlocked(execute: Callable[[str], object], statement: str) -> None:
    """Wait for another process on the event loop's clock: no other request is held up.

    SQLite's own busy timeout stops the loop, so it is kept to some milliseconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE_SECONDS
    while True:
        try:
            execute(statement)
            return
        except (OperationalError, sqlite3.OperationalError) as error:
            if "locked" not in str(error) or loop.time() > deadline:
                raise
        await_(asyncio.sleep(0.005))
