"""When a section of work on the database ends, however the database behaves."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import Connection

from app.foundation.database.outages import DEADLINE_SECONDS


def new_deadline() -> float:
    return asyncio.get_running_loop().time() + DEADLINE_SECONDS


@contextmanager
def cut_at(
    deadline: float, timeout: asyncio.Timeout, connection: Connection | None
) -> Iterator[None]:
    """Cut the connection at the deadline: a frozen server answers no polite cancellation.

    It replaces the timeout, which only SQLite keeps: SQLite runs in this process, and waits only
    for locks.
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
