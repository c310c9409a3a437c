"""What counts as an outage: the database is away, and the client may try again."""

import re
import sqlite3
from typing import Final

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.errors import Unavailable

DEADLINE_SECONDS: Final = 2.0
"""The longest a section may last, waiting included, before the client gets its 503."""

NO_ANSWER: Final = "The database does not answer. Try again."

logger = structlog.get_logger()


class StaleConnection(Unavailable):
    """A pooled connection turned out to be closed; the pool has been emptied, so a retry helps."""


class StalePlan(Unavailable):
    """A migration changed what a prepared statement returns. Nothing was done; a retry helps."""


class WrongDatabase(Unavailable):
    """The database answers, but this API can't work with it. Operators see why; clients do not."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(NO_ANSWER)
        self.problem = problem
        self.fix = fix


_OUTAGE_SQLSTATES: Final = (
    "08",  # connection exception
    "25P03",  # idle in a transaction for longer than the role may be
    "25P04",  # in a transaction for longer than that: transaction_timeout, from PostgreSQL 17 on
    "28",  # the password was changed on the server, or the role is locked out
    "3D",  # there is no such database, as while it is restored
    "40",  # rolled back: deadlock, serialization failure
    "53",  # insufficient resources: too many connections, disk full
    "55P03",  # a lock was not to be had within the role's lock_timeout
    "57",  # shut down, crashed, starting up; a statement took longer than statement_timeout
    "58",  # its disk fails
    "25006",  # read-only: a standby before its promotion
)

_WRONG: Final = (
    (
        re.compile(r"statement pooling mode"),
        "is behind a pooler that allows no transactions",
        "set its pool_mode = transaction",
    ),
    (
        re.compile(r"unsupported startup parameter\b.*?: ([\w.]{1,63})"),
        "is behind a pooler that takes no {0} for a connection",
        "leave {0} out of the URL, and set it for the role: ALTER ROLE … SET {0} = …",
    ),
    (
        re.compile(r"rejected SSL upgrade"),
        "offers no TLS, and sslmode asks for it",
        "switch ssl on there, or name a server that has it",
    ),
)
"""Errors that waiting does not fix, by words of PgBouncer and asyncpg."""

_SQLITE_OUTAGES: Final = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,  # too many at once begin with the WAL
    sqlite3.SQLITE_NOTADB,
}
"""Problems of the file, not of the statement."""

_PRIMARY: Final = 0xFF
"""The bits of a code that are not its details: SQLITE_READONLY of SQLITE_READONLY_DBMOVED."""


def is_outage(error: Exception) -> bool:
    if isinstance(error, IntegrityError):
        return False
    origin = getattr(error, "orig", error)
    if isinstance(origin, sqlite3.Error):
        code = getattr(origin, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        return code & _PRIMARY in _SQLITE_OUTAGES
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if is_stale_plan(error):
        return True
    sqlstate = getattr(origin, "sqlstate", None)
    if sqlstate is None:
        return not isinstance(error, DBAPIError) or _was_closed(error)
    return str(sqlstate).startswith(_OUTAGE_SQLSTATES)


def is_stale_plan(error: Exception) -> bool:
    """Whether a prepared statement would now return other types. SQLAlchemy has already forgotten
    all of them, so the next try prepares them anew.
    """
    return isinstance(_from_driver(error), asyncpg.InvalidCachedStatementError)


def _from_driver(error: Exception) -> object:
    """What asyncpg itself raised: SQLAlchemy wraps it twice."""
    return getattr(getattr(error, "orig", None), "__cause__", None)


def _was_closed(error: Exception) -> bool:
    """Whether the driver found the connection closed; then nobody got the SQLSTATE with the
    reason."""
    cause = _from_driver(error)
    return isinstance(cause, asyncpg.InterfaceError) and "clos" in str(cause)


def unavailable(error: Exception) -> Unavailable:
    if is_stale_plan(error):
        logger.info("database.plan_outdated")
        return StalePlan(NO_ANSWER)
    for words, problem, fix in _WRONG:
        if found := words.search(str(error)):
            wrong = WrongDatabase(problem.format(*found.groups()), fix.format(*found.groups()))
            logger.error("database.unavailable", reason=wrong.problem, fix=wrong.fix)
            return wrong
    logger.error("database.unavailable", reason=reason(error))
    stale = isinstance(error, DBAPIError) and error.connection_invalidated
    return (StaleConnection if stale else Unavailable)(NO_ANSWER)


def reason(error: Exception) -> str:
    """The error's name: SQLITE_FULL, SQLITE_READONLY_DBMOVED, QueryCanceledError."""
    origin = getattr(error, "orig", error)
    name: str | None = getattr(origin, "sqlite_errorname", None)
    cause = _from_driver(error)
    if isinstance(cause, asyncpg.PostgresError | asyncpg.InterfaceError):
        return type(cause).__name__
    return name or type(origin).__name__


def advice(error: DBAPIError) -> str:
    """What to do if SQLite may not write its file, or beside it; otherwise empty."""
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK)
    if code & _PRIMARY not in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
        return ""
    return "make its file, and the directory that it is in, writable for this user"


def sentence(error: DBAPIError) -> str:
    """What the database itself said, on one line; without the statement and its parameters."""
    return str(error.orig).partition("\n")[0].rpartition(">: ")[2]
