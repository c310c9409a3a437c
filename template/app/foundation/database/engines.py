"""Engines for PostgreSQL and SQLite, by URL."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from app.foundation.database.postgresql import create_postgresql_engine
from app.foundation.database.sqlite import create_sqlite_engine

POOL_SIZE: Final = 5
"""Connections of a worker unless DATABASE_POOL_SIZE says otherwise. More makes each slower: the
statements queue in PostgreSQL."""

AUTOCOMMIT: Final = "AUTOCOMMIT"


def create_engine(url: str, *, pool_size: int = POOL_SIZE, autocommit: bool = False) -> AsyncEngine:
    """Build the engine for `postgresql://...` or `sqlite:///file`."""
    is_sqlite = url.startswith("sqlite")
    options: dict[str, Any] = {
        "isolation_level": AUTOCOMMIT if autocommit else transactional_level(url),
        "pool_size": pool_size,
        "max_overflow": 0,
        "hide_parameters": True,  # a traceback in the log shows no hashes and addresses
    }
    return (create_sqlite_engine if is_sqlite else create_postgresql_engine)(url, options)


def transactional_level(url: str) -> str:
    """The default of each."""
    return "SERIALIZABLE" if url.startswith("sqlite") else "READ COMMITTED"
