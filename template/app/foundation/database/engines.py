"""Engines for PostgreSQL and SQLite, by URL."""

import re
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.foundation.database.outages import DEADLINE_SECONDS
from app.foundation.database.sqlite import create_sqlite_engine

POOL_SIZE: Final = 5
"""Connections at work in a worker. More makes each slower: the statements queue in PostgreSQL.

As many again may rest meanwhile, since each engine keeps its own.
"""

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
        return create_sqlite_engine(url, options)

    async def connect() -> Any:
        return await asyncpg.connect(driver_url(url), timeout=DEADLINE_SECONDS)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)
    event.listen(engine.sync_engine, "checkout", _replace_closed)
    return engine


def _replace_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Hand out no connection that the server is known to have closed; asks nobody."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
