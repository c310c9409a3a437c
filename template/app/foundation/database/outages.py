"""What counts as an outage: the database is away, and the client may try again."""

import sqlite3
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from app.errors import Unavailable

DEADLINE_SECONDS: Final = 2.0
"""The longest a section may last, waiting included, before the client gets its 503."""

logger = structlog.get_logger()


class StaleConnection(Unavailable):
    """A pooled connection turned out to be closed; the pool has been emptied, so a retry helps."""


_OUTAGE_SQLSTATES = (
    "08",  # connection exception
    "28",  # the password was changed on the server, or the role is locked out
    "3D",  # there is no such database, as while it is restored
    "40",  # rolled back: deadlock, serialization failure
    "53",  # insufficient resources: too many connections, disk full
    "57P",  # shut down, crashed, starting up
    "25006",  # read-only: a standby before its promotion
)


def is_outage(error: Exception) -> bool:
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


def unavailable(error: Exception) -> Unavailable:
    logger.error("database.unavailable", reason=type(getattr(error, "orig", error)).__name__)
    stale = isinstance(error, DBAPIError) and error.connection_invalidated
    return (StaleConnection if stale else Unavailable)("The database does not answer. Try again.")
