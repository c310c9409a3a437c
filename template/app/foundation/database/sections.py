"""Short sections of work on the database, in line and with a deadline.

Requests use three calls. `fetch_one` and `fetch_all` read on an autocommit connection: no BEGIN and
COMMIT round trips. `execute` writes with one statement, and `transaction` is for writes that
belong together. Every section waits its turn in line, holds a connection for
milliseconds, and ends in 503 after `DEADLINE_SECONDS` however the database behaves.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
import structlog
from sqlalchemy import (
    Executable,
    Select,
    column,
    func,
    select,
    table,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.util import greenlet_spawn

from app.errors import Unavailable
from app.foundation.database.deadline import cut_at, new_deadline
from app.foundation.database.engines import POOL_SIZE, create_engine, transactional_level
from app.foundation.database.outages import (
    DEADLINE_SECONDS,
    StaleConnection,
    StalePlan,
    WrongDatabase,
    is_outage,
    unavailable,
)
from app.foundation.database.postgresql import is_pooler
from app.foundation.database.retry import FirstTwice
from app.foundation.database.sqlite import file_of
from app.foundation.database.types import AnyRow

MAX_TRIES: Final = 3
"""Two changes of a migration may outdate a plan one after the other."""

logger = structlog.get_logger()

_REVISION: Final[Select[Any]] = select(column("version_num")).select_from(table("alembic_version"))
"""Where Alembic keeps what it has applied."""

_REVISION_OF_PRIMARY: Final[Executable] = _REVISION.where(
    func.current_setting("transaction_read_only") == "off"
)
"""A standby answers too, but takes no writes."""


class Database:
    """One pool for reads and transactions, and the queue in front of it."""

    def __init__(self, url: str, pool_size: int = POOL_SIZE) -> None:
        # On autocommit for reads. A connection turns to transactions for each write and back, which
        # takes 10 microseconds; with a pool for each, a worker would hold twice as many.
        self.engine = create_engine(url, pool_size=pool_size, autocommit=True)
        self.is_postgresql = url.startswith("postgresql")
        self.pool_size = pool_size
        self._transactional = {"isolation_level": transactional_level(url)}
        # SQLAlchemy's pool lets newcomers overtake those who wait. A first-in-first-out gate of
        # the same size keeps the slowest reads near the median: p99 104 -> 22 ms.
        self._gate = asyncio.Semaphore(pool_size)

    async def fetch_one(self, statement: Executable, **parameters: Any) -> AnyRow | None:
        """Read at most one row."""
        rows = await self.fetch_all(statement, **parameters)
        return rows[0] if rows else None

    async def fetch_all(self, statement: Executable, **parameters: Any) -> Sequence[AnyRow]:
        """Read rows. A connection that died unnoticed in the pool costs one retry, not an error.

        Raises:
            Unavailable: the database did not answer within `DEADLINE_SECONDS`.
        """
        return await self._retry((StaleConnection, StalePlan), {}, statement, parameters)

    async def execute(self, statement: Executable, **parameters: Any) -> Sequence[AnyRow]:
        """Write with one statement and commit; the rows are those of its RETURNING.

        Not on autocommit: a statement that waits, for a lock or in a frozen server, would be
        carried out after its client was told 503. A refresh token would be used up unseen.

        Raises:
            Unavailable: the database did not answer within `DEADLINE_SECONDS`.
        """
        return await self._retry((StalePlan,), self._transactional, statement, parameters)

    async def _retry(
        self,
        retriable: tuple[type[Unavailable], ...],
        options: dict[str, Any],
        statement: Executable,
        parameters: dict[str, Any],
    ) -> Sequence[AnyRow]:
        """Run a statement, and run it again if it is known to have done nothing."""
        deadline = new_deadline()
        for _ in range(MAX_TRIES - 1):
            with suppress(*retriable):
                return await self._run(options, statement, parameters, deadline)
        return await self._run(options, statement, parameters, deadline)

    async def _run(
        self,
        options: dict[str, Any],
        statement: Executable,
        parameters: dict[str, Any],
        deadline: float,
    ) -> Sequence[AnyRow]:
        def run() -> Sequence[AnyRow]:
            with (
                self.engine.sync_engine.connect() as connection,
                cut_at(deadline, timeout, connection),
            ):
                if options:
                    connection.execution_options(**options)
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
            self._connection(self._transactional, new_deadline()) as connection,
            AsyncSession(
                connection, expire_on_commit=False, sync_session_class=FirstTwice
            ) as session,
        ):
            yield session
            await session.commit()

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Borrow an autocommit connection.

        Raises:
            Unavailable: the database did not answer within `DEADLINE_SECONDS`.
        """
        return self._connection({}, new_deadline())

    @asynccontextmanager
    async def _connection(
        self, options: dict[str, Any], deadline: float
    ) -> AsyncIterator[AsyncConnection]:
        async with self._turn(deadline) as timeout, self.engine.connect() as connection:
            with cut_at(deadline, timeout, connection.sync_connection):
                if options:
                    await connection.execution_options(**options)
                yield connection

    @asynccontextmanager
    async def _turn(self, deadline: float) -> AsyncIterator[asyncio.Timeout]:
        """Wait in line for a connection, not past the deadline. An outage inside becomes
        `Unavailable`."""
        try:
            async with asyncio.timeout_at(deadline) as timeout, self._gate:
                yield timeout
        except WrongDatabase as error:
            logger.error("database.unavailable", reason=error.problem, fix=error.fix)
            raise
        except (DBAPIError, OSError, asyncpg.PostgresError) as error:
            if not is_outage(error):
                raise
            raise unavailable(error) from error

    @property
    def file(self) -> Path | None:
        """SQLite's."""
        return None if self.is_postgresql else file_of(self.engine.url)

    async def is_behind_pooler(self) -> bool:
        """Whether each statement may reach another process of the server."""
        if not self.is_postgresql:
            return False
        async with self.connection() as connection:
            raw = await connection.get_raw_connection()
            return await is_pooler(raw.driver_connection)

    async def is_up(self) -> bool:
        """Tell whether the database answers, takes writes, and has been migrated."""
        if self.file is not None and not os.access(self.file, os.R_OK | os.W_OK):
            return False
        revision = _REVISION_OF_PRIMARY if self.is_postgresql else _REVISION
        with suppress(Unavailable, DBAPIError):
            if await self.fetch_one(revision) is not None:
                await self.begin_and_end()
                return True
        return False

    async def begin_and_end(self) -> None:
        """Ask for a transaction: a pooler may allow only single statements."""
        if self.is_postgresql:
            async with self.transaction() as db:
                await db.execute(select(1))

    async def close(self) -> None:
        """Say goodbye to the server; if it is frozen, don't wait for its answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self.engine.dispose()
