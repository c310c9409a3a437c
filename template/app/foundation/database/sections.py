"""Short sections of work on the database, in line and with a deadline.

Requests use three calls. `fetch_one` and `fetch_all` read on an autocommit connection: no BEGIN and
COMMIT round trips. `execute` writes with one statement, and `transaction` is for writes that
belong together. Every section waits its turn in line, holds a connection for
milliseconds, and ends in 503 after `DEADLINE_SECONDS` however the database behaves.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection, Executable, column, select, table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.util import greenlet_spawn

from app.errors import Unavailable
from app.foundation.database.engines import POOL_SIZE, create_engine
from app.foundation.database.outages import (
    DEADLINE_SECONDS,
    StaleConnection,
    is_outage,
    unavailable,
)
from app.foundation.database.types import AnyRow

_REVISION: Final[Executable] = select(column("version_num")).select_from(table("alembic_version"))
"""Where Alembic keeps what it has applied."""


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
            with engine.sync_engine.connect() as connection, _cut_at(deadline, timeout, connection):
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
            if not is_outage(error):
                raise
            raise unavailable(error) from error

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
