"""Copying the SQLite file, and what a copy is worth: it can be put back."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.manage.conftest import Manage

MANY = 200


@pytest.fixture
def live(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """The project's own `app.db`, which somebody has open; its newest rows are in the `-wal`."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./app.db")
    with closing(sqlite3.connect(project / "app.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE things (id INTEGER)")
        connection.executemany("INSERT INTO things VALUES (?)", ((i,) for i in range(MANY)))
        yield connection


def copies(project: Path) -> list[Path]:
    return sorted(project.glob("app.db.backup-*"))


def things(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        count: int = connection.execute("SELECT count(*) FROM things").fetchone()[0]
        return count


@pytest.mark.usefixtures("live")
def test_a_copy_has_what_the_wal_has_and_is_one_private_file(manage: Manage, project: Path) -> None:
    (project / "app.db").chmod(0o644)
    before = os.umask(0)
    try:
        answer = manage("backup").data
    finally:
        os.umask(before)

    assert answer == {"backup": str(copies(project)[0]), "deleted": 0}
    (copy,) = copies(project)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert things(copy) == MANY
    assert copies(project) == [copy], "nothing lies beside it"


def test_the_copy_is_private_before_anything_is_in_it(
    manage: Manage, project: Path, live: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def connect(path: Path, timeout: float = 5.0) -> sqlite3.Connection:
        if "backup" in path.name:
            modes.append((stat.S_IMODE(path.stat().st_mode), path.stat().st_size))
        return sqlite3.Connection(path, timeout=timeout)

    monkeypatch.setattr("app.manage.backup.sqlite3.connect", connect)
    assert manage("backup").exit_code == 0
    assert modes == [(0o600, 0)]


@pytest.mark.usefixtures("live")
def test_the_last_three_are_kept(manage: Manage, project: Path) -> None:
    old = [project / f"app.db.backup-2026010{day}T000000Z" for day in (1, 2, 3)]
    others = [project / name for name in ("app.db.backup-mine", "other.db.backup-20260101T000000Z")]
    for path in (*old, *others):
        path.write_text("")

    assert manage("backup").data["deleted"] == 1
    assert manage("backup").data["deleted"] == 1  # perhaps in the same second

    assert [path.exists() for path in old] == [False, False, True]
    assert [things(path) for path in copies(project)[1:-1]] == [MANY, MANY]
    assert all(path.exists() for path in others), "what is not ours stays"


@pytest.mark.usefixtures("live")
def test_what_a_kill_has_left_goes_with_a_later_copy(manage: Manage, project: Path) -> None:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    left = [project / f"app.db.backup-20260101T000000Z.part{end}" for end in ("", "-journal")]
    at_work = project / f"app.db.backup-{now}-7.part"
    for path in (*left, at_work):
        path.write_text("")

    assert manage("backup").data["deleted"] == 0

    assert [path.exists() for path in (*left, at_work)] == [False, False, True]


@pytest.mark.usefixtures("live")
def test_a_clock_that_was_ahead_does_not_cost_the_new_copy(manage: Manage, project: Path) -> None:
    ahead = [project / f"app.db.backup-2099010{day}T000000Z" for day in (1, 2, 3)]
    for path in ahead:
        path.write_text("")

    answer = manage("backup").data

    assert answer["deleted"] == 1
    assert things(Path(answer["backup"])) == MANY
    assert [path.exists() for path in ahead] == [False, True, True]


def test_a_copy_is_put_back_as_the_readme_says(
    manage: Manage, project: Path, live: sqlite3.Connection
) -> None:
    copy = Path(manage("backup").data["backup"])
    live.execute("DELETE FROM things")
    assert (project / "app.db-wal").stat().st_size

    for name in ("app.db-wal", "app.db-shm"):
        (project / name).unlink()
    (project / "app.db").write_bytes(copy.read_bytes())

    assert things(project / "app.db") == MANY


def test_what_is_empty_is_not_copied(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./app.db")
    assert manage("backup").data == {"backup": None, "deleted": 0}
    assert not (project / "app.db").exists()

    with closing(sqlite3.connect(project / "app.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    assert manage("backup").data == {"backup": None, "deleted": 0}


def test_a_file_named_by_a_uri_is_copied(
    manage: Manage, project: Path, live: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///file:app.db?uri=true")
    assert things(Path(manage("backup").data["backup"])) == MANY


@pytest.mark.usefixtures("live")
def test_a_file_whose_name_only_looks_like_a_uri_is_copied(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "app.db").rename(project / "file:app.db")
    (project / "app.db-wal").rename(project / "file:app.db-wal")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///file:app.db")

    assert things(Path(manage("backup").data["backup"])) == MANY


def test_what_a_kill_leaves_passes_for_no_copy(
    manage: Manage, project: Path, live: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies on the disk while the copy is being made is what a kill would leave."""
    seen: list[str] = []

    class Watched(sqlite3.Connection):
        def backup(self, *args: Any, **options: Any) -> None:
            seen.extend(path.name for path in copies(project))
            super().backup(*args, **options)

    monkeypatch.setattr("app.manage.backup.sqlite3.connect", Watched)
    answers = [manage("backup").data for _ in range(4)]

    assert [name.endswith(".part") for name in seen if "part" in name] == [True] * 4
    assert seen[0].endswith(".part"), "nothing else was there yet"
    assert [answer["deleted"] for answer in answers] == [0, 0, 0, 1]
    assert [things(path) for path in copies(project)] == [MANY] * 3


def test_a_copy_that_fails_is_said_and_leaves_nothing(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./app.db")
    (project / "app.db").write_text("This is no database, but long enough to be asked. " * 20)
    failed = manage("backup")

    assert failed.exit_code == 1
    assert failed.err.startswith(f"error: {project}/app.db can't be copied: file is not a database")
    assert copies(project) == []


def test_a_disk_that_is_full_is_said_and_leaves_nothing(
    manage: Manage, project: Path, live: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(sqlite3.Connection):
        def backup(self, *_: object, **__: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("app.manage.backup.sqlite3.connect", Full)
    failed = manage("backup")

    assert (failed.exit_code, copies(project)) == (1, [])
    assert "app.db can't be copied: database or disk is full\nhint: make room" in failed.err


def test_a_file_that_stays_locked_is_said(
    manage: Manage, project: Path, live: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.manage.backup.LOCKED_SECONDS", 0.0)
    live.execute("PRAGMA locking_mode = EXCLUSIVE")
    live.execute("BEGIN EXCLUSIVE")
    live.execute("DELETE FROM things")

    failed = manage("backup")

    assert (failed.exit_code, copies(project)) == (1, [])
    assert "database is locked\nhint: another process keeps it locked" in failed.err


def test_postgresql_is_referred_to_its_own_command(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    refused = manage("backup")

    assert refused.exit_code == 1
    assert "Back up and restore" in refused.err
