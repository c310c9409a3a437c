"""What a statement could not do, as an answer to the client."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import ColumnElement, true
from sqlalchemy.exc import IntegrityError

from app.errors import AppError, ErrorCode

_UNIQUE: Final = {"23505", sqlite3.SQLITE_CONSTRAINT_UNIQUE}
_FOREIGN_KEY: Final = {"23503", sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY}


@contextmanager
def refusals_explained() -> Iterator[None]:
    """If two requests come at once, only the database can tell.

    Raises:
        AppError: 409 already_exists, a unique value exists already; 404 not_found, the row that a
            reference names has been deleted.
    """
    try:
        yield
    except IntegrityError as error:
        code = getattr(error.orig, "sqlite_errorcode", getattr(error.orig, "sqlstate", None))
        if code in _UNIQUE:
            raise AppError(409, ErrorCode.ALREADY_EXISTS, "There is one like it already.") from None
        if code in _FOREIGN_KEY:
            raise AppError(404, ErrorCode.NOT_FOUND, "What it refers to is gone.") from None
        raise


def is_one_of(version: Any, seen: Collection[int] | None) -> ColumnElement[bool]:
    """Whether the client has seen this version of the row; with None, any version will do."""
    return true() if seen is None else version.in_(seen)


def changed_meanwhile() -> AppError:
    """412 (RFC 9110 §13.1.1)."""
    return AppError(
        412, ErrorCode.PRECONDITION_FAILED, "It has changed since you read it. Read it again."
    )
