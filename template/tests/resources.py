"""What the tests of generated resources share: bodies as they are, pages, and plans of queries."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import event
from sqlalchemy.util import greenlet_spawn

from tests.helpers import Account, Tables, services_of


async def send(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    body: Any,
    account: Account | None,
    **headers: str,
) -> httpx.Response:
    """Send JSON, also what httpx refuses to write: NaN, and half of a surrogate pair."""
    return await client.request(
        method,
        path,
        content=json.dumps(body),
        headers={
            "Content-Type": "application/json",
            **(account.headers if account else {}),
            **headers,
        },
    )


async def pages(
    client: httpx.AsyncClient, path: str, account: Account, query: str = "limit=2"
) -> AsyncIterator[list[dict[str, Any]]]:
    """The pages of a list, each asked for when the one before has been looked at."""
    cursor: str | None = ""
    while cursor is not None:
        after = f"&cursor={cursor}" if cursor else ""
        response = await client.get(f"{path}?{query}{after}", headers=account.headers)
        assert response.status_code == 200, response.text
        cursor = response.json().pop("nextCursor")
        (rows,) = (value for value in response.json().values() if isinstance(value, list))
        yield rows


async def everything(
    client: httpx.AsyncClient, path: str, account: Account, query: str = "limit=2"
) -> list[str]:
    """The ids of a list, in its order."""
    return [row["id"] async for page in pages(client, path, account, query) for row in page]


@contextmanager
def statements_of(app: FastAPI, table: str) -> Iterator[list[tuple[str, Any]]]:
    """What the application says to the database about a table: statements and parameters."""
    noted: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if table in statement and not statement.startswith("INSERT"):
            noted.append((statement, parameters))

    engine = services_of(app).database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield noted
    event.remove(engine, "before_cursor_execute", note)


async def plan(database: Tables, statement: str, parameters: Any) -> str:
    """How the database would carry a statement out, if the table were large."""
    explain = "EXPLAIN" if database.is_postgresql else "EXPLAIN QUERY PLAN"

    def ask() -> str:
        with database.engine.sync_engine.connect() as connection:
            if database.is_postgresql:  # a small table it would read and sort
                for way in ("seqscan", "bitmapscan", "sort"):
                    connection.exec_driver_sql(f"SET enable_{way} = off")
            rows = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
            connection.invalidate()
        return "\n".join(str(row[-1]) for row in rows)

    return await greenlet_spawn(ask)


def is_on_an_index(plan: str) -> bool:
    """Whether no table is read but by an index, and nothing is sorted: both grow with the table."""
    return bool(re.search(r"Index|USING (COVERING )?INDEX", plan)) and not re.search(
        r"Seq Scan|SCAN \w+(?! USING)\b|Sort|TEMP B-TREE", plan
    )
