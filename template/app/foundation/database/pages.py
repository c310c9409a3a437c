"""Lists read page by page, the newest first: each starts after the last row of the one before.

No row comes twice and none is left out, even if others are added or deleted meanwhile. A page costs
the same at any depth. With an offset the database would have to count all rows before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, tuple_

from app.foundation.database.sections import Database
from app.foundation.database.types import AnyRow

CURSOR: Final = "^[0-9a-f]{46}$"
"""A place in a list: a row's `created_at` in microseconds, then its id. Any text of this form is
valid, but a forged one reveals nothing: the query still limits the rows that may be seen."""

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[AnyRow]
    next_cursor: str | None
    """None on the last page."""


async def read_page(
    database: Database, rows: Select[*tuple[Any, ...]], table: Any, limit: int, cursor: str | None
) -> Page:
    """Read one page.

    Args:
        rows: the rows that may be seen, with their `id` and `created_at`.
        table: the model. An index has to end in `created_at, id`, after what `rows` is filtered by.
        cursor: the last page's `next_cursor`; None is the start.
    """
    place = (table.created_at, table.id)
    if cursor is not None:
        rows = rows.where(tuple_(*place) < _place(cursor))
    newest_first = rows.order_by(*(column.desc() for column in place))
    found = await database.fetch_all(newest_first.limit(limit + 1))
    return Page(found[:limit], _cursor(found[limit - 1]) if len(found) > limit else None)


def _cursor(row: AnyRow) -> str:
    microseconds = max((row.created_at - _START) // _MICROSECOND, 0)
    return f"{microseconds:014x}{row.id.hex}"


def _place(cursor: str) -> tuple[datetime, UUID]:
    return _START + int(cursor[:14], 16) * _MICROSECOND, UUID(cursor[14:])
