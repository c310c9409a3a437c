"""SQLite: Python's own driver, called straight from the event loop."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    event,
)
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool
from sqlalchemy.util import await_

from app.foundation.database.outages import DEADLINE_SECONDS, WrongDatabase


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


def create_sqlite_engine(url: str, options: dict[str, Any]) -> AsyncEngine:
    engine = create_async_engine(
        url.replace("sqlite://", "sqlite+loop://", 1),
        **options,
        connect_args={"check_same_thread": False, "timeout": 0.02},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    same_file = _SameFile(engine.url)
    event.listen(engine.sync_engine, "do_connect", same_file.make_none_anew)
    event.listen(engine.sync_engine, "checkout", same_file.check)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def file_of(url: URL) -> Path:
    """The file, which SQLite's own notation may name: `file:app.db`."""
    return Path(str(url.database).removeprefix("file:"))


class _SameFile:
    """Checks that the file is still the same: SQLite would go on writing into a deleted file, or
    make an empty one. If a copy was put there, connections are opened anew."""

    def __init__(self, url: URL) -> None:
        self._path = file_of(url)
        self._may_be_made = url.query.get("mode", "rwc") == "rwc"
        self._was_there = False

    def make_none_anew(self, *_connection: object) -> None:
        """A new file is private from its first byte, because it will hold addresses and hashes. The
        files that SQLite puts beside it get the same mode."""
        if self._was_there:
            self._identity()
        elif self._may_be_made:
            with suppress(OSError):  # it is there, or SQLite says better why it can't be made
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def check(self, _connection: object, record: Any, _proxy: object) -> None:
        identity = self._identity()
        self._was_there = True
        if record.info.setdefault("file", identity) != identity:
            raise DisconnectionError

    def _identity(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise WrongDatabase(
                f"has lost its file: {error.strerror}", "put the file, or a copy of it, back"
            ) from None
        return found.st_dev, found.st_ino


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
