"""A PostgreSQL database that is there already, or is somebody's by the time that `new` fails."""

import asyncio
import json
import secrets
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.conftest import Result, authkit
from tests.services import database_named, require_postgres

from authkit.new.database import contents, remove_empty

PROVISION = Path(__file__).parents[1] / "cli/authkit/new/provision_database.py"


@pytest.fixture
def url() -> Iterator[str]:
    """Of a database that nobody has made yet."""
    name = f"authkit_elsewhere_{secrets.token_hex(6)}"
    yield database_named(name)
    execute(require_postgres(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def execute(url: str, *statements: str) -> list[Any]:
    async def run() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return [row for each in statements for row in await connection.fetch(each)]
        finally:
            await connection.close()

    return asyncio.run(run())


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def exists(url: str) -> bool:
    rows = execute(require_postgres(), "SELECT datname FROM pg_database")
    return name_of(url) in {row["datname"] for row in rows}


def provision(project: Path, url: str, *action: str) -> dict[str, Any]:
    """What `new` runs, in a project's environment."""
    process = subprocess.run(
        [project / ".venv/bin/python", PROVISION, *action],
        cwd=project,
        input=url,
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


def new(directory: Path, url: str, **env: str) -> Result:
    target = str(directory / "api")
    return authkit("new", target, "-y", "--json", env={"AUTHKIT_DATABASE_URL": url} | env)


def test_two_at_once_with_one_name_both_succeed(tmp_path: Path, url: str) -> None:
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda name: new(tmp_path / name, url), ("one", "two")))

    assert [result.code for result in results] == [0, 0], [result.err for result in results]
    said = [f"the database {name_of(url)} exists already" in result.err for result in results]
    assert sorted(said) == [False, True], "one made it, the other was told of it"
    users = execute(url, "SELECT email FROM users ORDER BY email")
    assert [row["email"] for row in users] == ["admin@example.com", "user@example.com"]


def test_what_somebody_uses_by_now_is_not_dropped(myapi: Path, url: str) -> None:
    """The first one fails late, when another has found its database and finished."""
    assert provision(myapi, url) == {"became": "created"}
    joined = provision(myapi, url)
    assert (joined["became"], joined["tables"]) == ("existed", 0)

    assert provision(myapi, url, "drop") == {"became": "used"}
    assert exists(url)


def test_what_nobody_else_uses_is_dropped_again(myapi: Path, url: str) -> None:
    provision(myapi, url)

    assert provision(myapi, url, "drop") == {"became": "dropped"}
    assert not exists(url)


def test_eight_at_once_make_one(myapi: Path, url: str) -> None:
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: provision(myapi, url)["became"], range(8)))

    assert sorted(answers) == ["created"] + ["existed"] * 7


def test_a_database_of_another_application_is_refused(tmp_path: Path, url: str) -> None:
    execute(require_postgres(), f"CREATE DATABASE {name_of(url)}")
    execute(url, "CREATE TABLE invoices (id integer)", "CREATE TABLE users (id integer)")

    result = new(tmp_path, url)

    assert result.code == 1
    said = f"the database {name_of(url)} exists and has tables of something else: invoices"
    assert said in result.err
    assert "--database-url" in result.err
    tables = execute(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert sorted(row["tablename"] for row in tables) == ["invoices", "users"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "theirs",
    [
        ("CREATE TABLE users (id integer)",),
        ("CREATE TABLE alembic_version (version_num text)", "CREATE TABLE users (id integer)"),
        (
            "CREATE TABLE alembic_version (version_num text)",
            "INSERT INTO alembic_version VALUES ('theirs')",
        ),
        ("CREATE VIEW mails AS SELECT 1 AS id",),
    ],
    ids=["one-name", "no-revision", "their-revision", "view"],
)
def test_names_like_ours_make_no_database_ours(
    myapi: Path, url: str, theirs: tuple[str, ...], tmp_path: Path
) -> None:
    """Only our own migrations do; else they would fail, after it was called empty or shared."""
    execute(require_postgres(), f"CREATE DATABASE {name_of(url)}")
    execute(url, *theirs)
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as connection:
        for statement in theirs:
            connection.execute(statement)
        connection.commit()

    for found in (provision(myapi, url), provision(myapi, f"file:{tmp_path}/theirs.db")):
        assert found["became"] == "existed"
        assert len(found["foreign"]) == found["tables"] == len(theirs) - ("INSERT" in theirs[-1])


def test_tables_of_others_in_other_schemas_are_named(myapi: Path, url: str) -> None:
    execute(require_postgres(), f"CREATE DATABASE {name_of(url)}")
    execute(url, "CREATE SCHEMA shop", "CREATE TABLE shop.orders (id integer)")

    found = provision(myapi, url)

    assert (found["tables"], found["foreign"], found["schemas"]) == (0, [], ["shop"])
    assert contents(found) == "empty but for other schemas: shop"


def test_a_sqlite_file_of_another_application_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "theirs.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE invoices (id integer)")
    before = file.read_bytes()
    (tmp_path / "text.db").write_text("no database\n")

    theirs = new(tmp_path / "made", f"sqlite:///{file}")
    text = new(tmp_path / "made", f"sqlite:///{tmp_path}/text.db")

    assert f"the database {file} exists and has tables of something else: inv" in theirs.err
    assert f"error: {tmp_path}/text.db can't be used: file is not a database" in text.err
    assert file.read_bytes() == before
    assert not (tmp_path / "made").exists()


def test_a_sqlite_file_outside_is_named_by_its_whole_path(tmp_path: Path) -> None:
    """From where the project is built, the same words would name another file."""
    project = tmp_path / "api"
    project.mkdir()

    refused = authkit("new", ".", "--database-url", "sqlite:///../shared.db", "-y", cwd=project)

    assert refused.code == 2
    assert "../shared.db lies outside of the project" in refused.err
    assert f"sqlite:///{tmp_path}/shared.db" in refused.err
    assert [path.name for path in tmp_path.rglob("*")] == ["api"]


def test_of_a_sqlite_file_elsewhere_nothing_empty_is_left_and_the_rest_is_named(
    tmp_path: Path,
) -> None:
    file = tmp_path / "data" / "app.db"
    file.parent.mkdir()

    failed = new(tmp_path / "made", f"sqlite:///{file}", GIT_AUTHOR_DATE="no date")
    again = new(tmp_path / "made", f"sqlite:///{file}")

    assert f"the database {file}, which was made, stays there" in failed.err
    assert "nothing was left behind" not in failed.err
    assert (failed.code, again.code) == (1, 0)
    assert f"the database {file} exists already, with 2 users that it would share" in again.err


def test_an_empty_sqlite_file_is_removed_and_no_other(tmp_path: Path) -> None:
    """What a first connection makes before a migration fails."""
    for name, statement in (("empty", "PRAGMA journal_mode = WAL"), ("full", "CREATE TABLE x (y)")):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.execute(statement)
        remove_empty(tmp_path / name)

    remove_empty(tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_what_a_failure_leaves_in_a_database_that_existed_is_named(
    tmp_path: Path, url: str
) -> None:
    """The last step fails: git does not take this date."""
    execute(require_postgres(), f"CREATE DATABASE {name_of(url)}")

    result = new(tmp_path, url, GIT_AUTHOR_DATE="no date")

    assert result.code == 1
    assert f"the database {name_of(url)} exists already, empty" in result.err
    stays = f"what was made in the database {name_of(url)}, which existed before, stays there"
    assert stays in result.err
    assert "nothing was left behind" not in result.err
    assert list(tmp_path.iterdir()) == []


def test_what_was_made_for_a_failure_is_gone(tmp_path: Path, url: str) -> None:
    result = new(tmp_path, url, GIT_AUTHOR_DATE="no date")

    assert result.code == 1
    assert "git commit failed" in result.err
    assert not exists(url)


def test_a_server_that_can_t_be_used_is_no_command_of_the_project(tmp_path: Path) -> None:
    parts = require_postgres().replace("postgres@", "nobody:wrong@").rpartition("/")[0]

    result = new(tmp_path, f"{parts}/x?sslmode=verify-full&sslrootcert=/none")

    assert result.code == 1
    assert "CREATE DATABASE" not in result.err
    assert ".venv" not in result.err
