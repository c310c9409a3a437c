"""Pages, refusals, decimals and JSON: what the queries of resources are made of."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import JSON, Column, MetaData, Table, insert, literal, select, update
from sqlalchemy.schema import CreateTable, DropTable

from app.accounts.models import PasswordReset, User
from app.errors import AppError
from app.foundation.database.decimals import ExactDecimal
from app.foundation.database.pages import CURSOR, read_page
from app.foundation.database.refusals import changed_meanwhile, is_one_of, refusals_explained
from tests.helpers import NOBODY, Tables

ROWS = select(User.id, User.created_at)
START = datetime(2026, 11, 28, tzinfo=UTC)


async def add_user(database: Tables, number: int, created_at: datetime) -> UUID:
    user_id = UUID(int=number)
    values = {"id": user_id, "email": f"{number}@example.com", "password_hash": "x"}
    await database.execute(insert(User).values(**values, created_at=created_at))
    return user_id


async def test_pages_hold_each_row_once_also_those_of_one_moment(database: Tables) -> None:
    moments = [START, START, START, START + timedelta(microseconds=1), START - timedelta(days=9)]
    for number, moment in enumerate(moments, start=1):
        await add_user(database, number, moment)

    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = await read_page(database, ROWS, User, 2, cursor)
        seen += [row.id.int for row in page.rows]
        await add_user(database, 100 + len(seen), START + timedelta(days=1))
        cursor = page.next_cursor
        if cursor is None:
            break
        assert re.fullmatch(CURSOR, cursor)

    assert seen == [4, 3, 2, 1, 5]


@pytest.mark.parametrize("cursor", ["0" * 46, "f" * 46])
async def test_every_cursor_is_a_place(cursor: str, database: Tables) -> None:
    await add_user(database, 1, START)

    page = await read_page(database, ROWS, User, 1, cursor)

    assert len(page.rows) == (cursor > "1")
    assert page.next_cursor is None


async def test_what_is_older_than_the_epoch_has_a_place_too(database: Tables) -> None:
    for number in (1, 2):
        await add_user(database, number, datetime(1969, 1, number, tzinfo=UTC))

    page = await read_page(database, ROWS, User, 1, None)

    assert page.next_cursor == f"{0:014x}{UUID(int=2).hex}"


async def test_says_what_is_there_already_or_gone(database: Tables) -> None:
    await add_user(database, 1, START)
    with pytest.raises(AppError) as taken, refusals_explained():
        await database.execute(
            insert(User).values(email="1@example.com", password_hash="x", created_at=START)
        )
    reset = {"user_id": UUID(NOBODY), "token_hash": "x", "expires_at": START}
    with pytest.raises(AppError) as gone, refusals_explained():
        await database.execute(insert(PasswordReset).values(reset))

    assert (taken.value.status_code, taken.value.code) == (409, "already_exists")
    assert (gone.value.status_code, gone.value.code) == (404, "not_found")


async def test_leaves_other_refusals_to_be_bugs(database: Tables) -> None:
    await add_user(database, 1, START)

    with pytest.raises(Exception, match=r"(?i)check"), refusals_explained():
        await database.execute(update(User).values(role="root"))


async def test_a_version_is_one_of_those_seen(database: Tables) -> None:
    for seen, found in ((None, 1), ({1, 2}, 1), (set[int](), 0), ({2}, 0)):
        rows = await database.fetch_all(select(literal(1)).where(is_one_of(literal(1), seen)))
        assert len(rows) == found
    assert changed_meanwhile().status_code == 412


@pytest.mark.parametrize("number", ["0.00", "-1.10", "9999999999999999.99", None])
async def test_decimals_are_exact(number: str | None, database: Tables) -> None:
    sent = None if number is None else Decimal(number)
    kind = ExactDecimal(18, 2)

    [[kept]] = await database.fetch_all(select(literal(sent, kind)))

    assert kept == sent
    assert number is None or str(kept) == number


async def test_a_number_in_json_keeps_its_digits_also_alone(database: Tables) -> None:
    table = Table("kept_json", MetaData(), Column("value", JSON))
    await database.execute(CreateTable(table))
    try:
        for value in (12345678901234567890, 10**400, 1.0, -0.0, [10**400], "1e5"):
            await database.execute(insert(table).values(value=value))
            [[kept]] = await database.fetch_all(select(table))
            assert json.dumps(kept) == json.dumps(value)
            await database.execute(table.delete())
    finally:
        await database.execute(DropTable(table))
