"""SQLite's file: deleted, replaced, read-only, full, or no database at all."""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import event, select, text

from app.accounts.models import User
from app.errors import Unavailable
from app.foundation.database import Database, WrongDatabase
from tests.helpers import connect, error_code, is_signed_in, migrate, register

Start = Callable[..., Awaitable[FastAPI]]

WRITE = text("UPDATE alembic_version SET version_num = version_num")


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.db"
    await asyncio.to_thread(migrate, f"sqlite:///{path}")
    return path


async def test_a_file_that_was_deleted_is_written_on_no_more(start: Start, file: Path) -> None:
    client = connect(await start(database_url=f"sqlite:///{file}"))
    account = await register(client)
    away = move(file, file.with_suffix(".away"))

    body = {"email": "new@example.com", "password": account.password}
    for method, path, sent in (
        ("POST", "/api/auth/register", body),
        ("GET", "/api/users/me", None),
    ):
        response = await client.request(method, path, json=sent, headers=account.headers)
        assert (response.status_code, error_code(response)) == (503, "unavailable")
    assert (await client.get("/health/ready")).status_code == 503

    move(away, file)  # nothing was made in its place
    assert await is_signed_in(client, account)
    await register(client, "new@example.com")


async def test_a_copy_that_was_put_in_its_place_is_worked_with(start: Start, file: Path) -> None:
    """As a backup is restored; without a restart."""
    shutil.copy(file, file.with_suffix(".copy"))
    client = connect(await start(database_url=f"sqlite:///{file}"))
    account = await register(client)
    replace(file, file.with_suffix(".copy"))

    assert not await is_signed_in(client, account)
    assert await is_signed_in(client, await register(client))


def move(path: Path, to: Path) -> Path:
    assert not to.exists()
    return path.rename(to)


def replace(file: Path, copy: Path) -> None:
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()
    copy.rename(file)


async def refusal(database: Database, statement: Any = WRITE) -> str:
    with pytest.raises(Unavailable) as caught:
        await database.execute(statement)
    await database.close()
    return type(caught.value).__name__


def reasons(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return [line["reason"] for line in lines if line["event"] == "database.unavailable"]


async def test_a_file_that_can_only_be_read_is_told_by_name(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert await database.fetch_all(select(User.id)) == []
    await refusal(database)
    assert reasons(capsys) == ["SQLITE_READONLY"]


async def test_a_full_disk_is_told_by_name(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = Database(f"sqlite:///{file}")

    @event.listens_for(database.engine.sync_engine, "connect")
    def no_more_pages(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    await refusal(database, text("CREATE TABLE more AS SELECT zeroblob(1000000)"))
    assert reasons(capsys) == ["SQLITE_FULL"]


async def test_what_is_no_database_is_told_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("not a database\n" * 100)
    await refusal(Database(f"sqlite:///{tmp_path}/notes.txt"))
    await refusal(Database(f"sqlite:///{tmp_path}/nowhere/app.db"))
    assert reasons(capsys) == ["SQLITE_NOTADB", "SQLITE_CANTOPEN"]


async def test_a_file_that_can_not_be_written_is_not_ready(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{file}")
    assert await database.is_up()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # tests may run as root
    assert not await database.is_up()
    await database.close()


async def test_a_directory_that_is_gone_is_no_new_database(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    assert await database.is_up()
    away = move(file.parent, file.parent.with_suffix(".away"))
    with pytest.raises(WrongDatabase, match="503"):
        await database.fetch_one(select(1))
    move(away, file.parent)
    assert await database.is_up()
    await database.close()


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
async def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """From its first byte: it will hold addresses and hashes. So are its -wal and -shm."""
    file = tmp_path / "some.db"
    with usual_rights():
        database = Database(f"sqlite:///{file}")
        await database.execute(text("CREATE TABLE some (thing TEXT)"))
        await database.execute(text("INSERT INTO some VALUES ('a hash')"))
    modes = modes_in(tmp_path)
    await database.close()

    assert modes == {"some.db": 0o600, "some.db-wal": 0o600, "some.db-shm": 0o600}


def modes_in(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


@contextmanager
def usual_rights() -> Iterator[None]:
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


async def test_a_file_that_may_not_be_made_is_not(tmp_path: Path) -> None:
    database = Database(f"sqlite:///file:{tmp_path}/some.db?mode=rw&uri=true")
    assert await refusal(database) == "Unavailable"
    assert modes_in(tmp_path) == {}
