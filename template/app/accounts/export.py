"""All stored data of a user, as JSON (GDPR articles 15 and 20).

It has the rows of every table that refers to `users`, those of features too. A column that must not
leave the database is marked with `info=SECRET`.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from pydantic.alias_generators import to_camel
from pydantic_core import to_json
from sqlalchemy import Column, MetaData, Table, select, tuple_

from app.accounts.models import User
from app.foundation.database import AnyRow, Base
from app.services import Services

ROWS_AT_ONCE: Final = 500
"""No export is in memory as a whole."""


async def export(services: Services, user_id: UUID) -> AsyncIterator[bytes]:
    """One JSON object, in pieces: for each table, the rows that are the user's."""
    for number, (table, owner) in enumerate(tables_of_users()):
        yield (b"," if number else b"{") + to_json(to_camel(table.name)) + b":["
        separator = b""
        async for rows in _pages(services, table, owner, user_id):
            yield separator + b",".join(map(_as_json, rows))
            separator = b","
        yield b"]"
    yield b"}\n"


def _as_json(row: AnyRow) -> bytes:
    shown = {to_camel(name): value for name, value in row._asdict().items()}
    return to_json(shown, bytes_mode="base64", inf_nan_mode="strings", fallback=str)


async def _pages(
    services: Services, table: Table, owner: Column[Any], user_id: UUID
) -> AsyncIterator[Sequence[AnyRow]]:
    key = list(table.primary_key.columns)
    shown = [column for column in table.columns if not column.info.get("secret")]
    page = select(*shown).where(owner == user_id).order_by(*key).limit(ROWS_AT_ONCE)
    rows = await services.database.fetch_all(page)
    while rows:
        yield rows
        last = tuple(rows[-1]._asdict()[column.name] for column in key)
        rows = await services.database.fetch_all(page.where(tuple_(*key) > last))


def tables_of_users(metadata: MetaData = Base.metadata) -> Iterator[tuple[Table, Column[Any]]]:
    """Each table whose rows belong to a user, and the column that names the user (the first, if
    there are several)."""
    users = metadata.tables[User.__tablename__]
    yield users, users.c.id
    for table in metadata.sorted_tables:
        owners = [c for c in table.columns if any(key.references(users) for key in c.foreign_keys)]
        if owners and table is not users:  # who invited somebody does not get their row
            yield table, owners[0]
