"""PostgreSQL: its URLs, its connections, and poolers in between."""

import re
from typing import Any, Final

import asyncpg
from sqlalchemy import ExceptionContext, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.foundation.database.outages import DEADLINE_SECONDS, WrongDatabase
from app.foundation.database.pooled import PooledConnection

_NOT_FOR_THE_SERVER: Final = re.compile(
    r"(?<=[?&])(channel_binding|connect_timeout|gssencmode|keepalives\w*|pgbouncer|sslsni"
    r"|tcp_user_timeout)=[^&]*&?"
)

_SAYS_POOLER: Final = re.compile(r"[?&]pgbouncer=(true|1|yes|on)(&|$)", re.IGNORECASE)

_POOLERS_SQLSTATES: Final = ("26000", "42P05")
"""The prepared statement is missing, or somebody else has prepared it."""

PREPARED_STATEMENTS: Final = 100
"""Kept prepared on each connection; behind a pooler none is."""


def driver_url(url: str) -> str:
    """Leave out the parameters that providers add for libpq or Prisma. asyncpg reads the URL
    itself, so sslmode, hosts and .pgpass work as with libpq. But it sends unknown parameters to the
    server, which refuses them.
    """
    return _NOT_FOR_THE_SERVER.sub("", url).rstrip("?&")


def create_postgresql_engine(url: str, options: dict[str, Any]) -> AsyncEngine:
    connector = _Connector(url)
    engine = create_async_engine("postgresql+asyncpg://", creator=connector.connect, **options)
    connector.engine = engine
    event.listen(engine.sync_engine, "checkout", _replace_closed)
    event.listen(engine.sync_engine, "handle_error", connector.notice_pooler)
    return engine


class _Connector:
    """Opens the connections of one engine.

    A pooler in transaction mode gives each transaction another connection of the server, where
    what was prepared on an earlier one is missing (26000) or is somebody else's (42P05). Newer
    poolers keep track, and go on using a plan that a migration has outdated (0A000). So nothing is
    prepared behind a pooler.
    """

    engine: AsyncEngine

    def __init__(self, url: str) -> None:
        self._url = driver_url(url)
        self._behind_pooler = _SAYS_POOLER.search(url) is not None

    def connect(self) -> Any:
        """Called by SQLAlchemy's pool."""
        while True:
            prepared = 0 if self._behind_pooler else PREPARED_STATEMENTS
            connection = self.engine.dialect.dbapi.connect(  # type: ignore[union-attr]
                async_creator_fn=self._open, prepared_statement_cache_size=prepared
            )
            if prepared == 0 or not self._behind_pooler:
                return connection
            connection.close()  # it was opened before the pooler was noticed

    async def _open(self) -> Any:
        connection = await asyncpg.connect(
            self._url,
            timeout=DEADLINE_SECONDS,
            statement_cache_size=0 if self._behind_pooler else PREPARED_STATEMENTS,
            connection_class=PooledConnection if self._behind_pooler else asyncpg.Connection,
        )
        try:
            await self._examine(connection)
        except BaseException:  # the deadline too: nobody else knows of this connection yet
            connection.terminate()
            raise
        return connection

    def notice_pooler(self, context: ExceptionContext) -> None:
        """A pooler with a real process id shows when a statement fails. Then all connections are
        opened anew."""
        if getattr(context.original_exception, "sqlstate", None) in _POOLERS_SQLSTATES:
            self._behind_pooler = context.is_disconnect = True

    async def _examine(self, connection: Any) -> None:
        encoding = connection.get_settings().server_encoding
        if encoding != "UTF8":
            raise WrongDatabase(
                f"is in {encoding}, which can't hold every name; only UTF8 can",
                "createdb --encoding=UTF8 --locale=C --template=template0 NAME, and name it in "
                "DATABASE_URL",
            )
        self._behind_pooler = self._behind_pooler or await is_pooler(connection)


async def is_pooler(connection: Any) -> bool:
    """If the process id is not the one from the start, there is a pooler. This asks in the simple
    protocol, so it prepares nothing.
    """
    pid = connection.get_server_pid()
    status: str = await connection.execute(f"SELECT 1 WHERE pg_backend_pid() = {pid:d}")
    return status != "SELECT 1"


def _replace_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Hand out no connection that the server is known to have closed, without a query."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
