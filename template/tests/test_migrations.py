"""Migrating says what it did, may be done by several hosts at once, and loses no row."""

import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Executable, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from app.accounts.models import Session, User
from app.foundation.database import AnyRow, driver_url
from tests.conftest import TEST_DATABASE_URL
from tests.helpers import (
    GIVE_UP_SECONDS,
    ROOT,
    Tables,
    alembic_config,
    make_scratch_database,
    migrate,
)
from tests.live import environment
from tests.services import directly, needs_postgresql


@pytest.fixture
def empty_url(tmp_path: Path) -> str:
    """A database without a single table."""
    if not TEST_DATABASE_URL:
        return f"sqlite:///{tmp_path}/empty.db"
    return asyncio.run(make_scratch_database(TEST_DATABASE_URL))


def test_migrating_says_what_it_did(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    migrate(empty_url)
    migrate(empty_url)
    command.downgrade(alembic_config(empty_url), "base")

    said = capsys.readouterr().err.splitlines()
    assert said[0] == "applied 0001_accounts"
    assert said[-1] == "took back 0001_accounts"
    assert len(said) == len(set(said)), "nothing is applied twice"


HOSTS = 3

MIGRATE_AT_ONCE = f"""
import os
from alembic.config import main
from app.accounts import models

if all(os.fork() for _ in range({HOSTS})):
    ended = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range({HOSTS})]
    print(ended)
else:
    main(["upgrade", "head"])
"""
"""Each is a process of its own, forked when everything is imported: they begin together."""


def test_several_hosts_may_migrate_at_once(empty_url: str) -> None:
    values = {"database_url": empty_url, "jwt_secret": "not-used-to-migrate"}
    hosts = subprocess.run(  # noqa: S603
        [sys.executable, "-c", MIGRATE_AT_ONCE],
        cwd=ROOT,
        env=environment(values),
        capture_output=True,
        text=True,
        timeout=GIVE_UP_SECONDS,
        check=True,
    )

    assert hosts.stdout == f"{[0] * HOSTS}\n", hosts.stderr
    assert hosts.stderr.count("applied 0001_accounts") == 1


def start_migrating(url: str, *options: str) -> subprocess.Popen[str]:
    values = {"database_url": url, "jwt_secret": "not-used-to-migrate"}
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "alembic", *options, "upgrade", "head"],
        cwd=ROOT,
        env=environment(values),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


MIGRATION: Final = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = {revision!r}, {down!r}
branch_labels = depends_on = None


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
"""

MAKE_FAMILY: Final = """
    op.create_table(
        "test_parents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("name", sa.String(100)),
    )
    for child, parent in (("children", "parents"), ("grandchildren", "children")):
        op.create_table(
            f"test_{child}",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("parent_id", sa.Integer),
            sa.Column("name", sa.String(100)),
            sa.ForeignKeyConstraint(["parent_id"], [f"test_{parent}.id"], ondelete="CASCADE"),
        )
"""
"""An owner's tables: of a user's, and two levels below."""

FAMILY_ROWS: Final = (
    "INSERT INTO test_parents (id, user_id, name) SELECT 1, id, 'one' FROM users",
    "INSERT INTO test_children (id, parent_id) VALUES (1, 1), (2, 1)",
    "INSERT INTO test_grandchildren (id, parent_id) VALUES (1, 1), (2, 1), (3, 2)",
)

ROWS: Final = {
    "users": 1,
    "refresh_tokens": 1,
    "test_parents": 1,
    "test_children": 2,
    "test_grandchildren": 3,
}

ALTER: Final = 'with op.batch_alter_table("{table}") as batch_op: '
LENGTH: Final = (
    'batch_op.alter_column("name", existing_type=sa.String(100), type_=sa.String({length}))'
)
LONGER: Final = ALTER + LENGTH.format(length=200)
SHORTER: Final = ALTER + LENGTH.format(length=100)

CHANGES: Final = {
    "longer": (
        LONGER,
        SHORTER,
    ),
    "dropped": (
        ALTER + 'batch_op.drop_column("name")',
        'op.add_column("{table}", sa.Column("name", sa.String(100)))',
    ),
    "added": (
        'op.add_column("{table}", sa.Column("nickname", sa.String(100)))',
        ALTER + 'batch_op.drop_column("nickname")',
    ),
    "constrained": (
        ALTER + 'batch_op.create_check_constraint("short", "length(name) < 90")',
        ALTER + 'batch_op.drop_constraint(op.f("ck_{table}_short"), type_="check")',
    ),
}

FAILING: Final = """
    op.create_table("test_more", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("DELETE FROM test_grandchildren")
    op.execute("INSERT INTO test_children (id) VALUES (1)")
"""
"""The last step is refused: the id is taken."""


class Line:
    """A database, and migrations behind those of the project."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.config = alembic_config(url)
        self._directory = directory
        self._head = ScriptDirectory.from_config(self.config).get_current_head()
        places = (ROOT / "migrations" / "versions", directory)
        self.config.set_main_option("path_separator", "os")
        self.config.set_main_option("version_locations", os.pathsep.join(map(str, places)))

    def add(self, upgrade: str, downgrade: str = "pass") -> None:
        revision = f"test_{len(list(self._directory.iterdir()))}"
        content = MIGRATION.format(
            revision=revision, down=self._head, upgrade=upgrade.strip(), downgrade=downgrade.strip()
        )
        (self._directory / f"{revision}.py").write_text(content)
        self._head = revision

    def upgrade(self) -> None:
        command.upgrade(self.config, "head")

    def downgrade(self, steps: int = 1) -> None:
        command.downgrade(self.config, f"-{steps}")

    def rows(self) -> dict[str, int]:
        return {
            table: self.run(text(f"SELECT count(*) FROM {table}"))[0][0]  # noqa: S608
            for table in ROWS
        }

    def schema(self) -> dict[str, list[str]]:
        """Every table's columns, with their types."""
        return asyncio.run(self._schema())

    async def _schema(self) -> dict[str, list[str]]:
        database = Tables(self.url)
        async with database.connection() as connection:
            found = await connection.run_sync(lambda sync: inspect(sync).get_multi_columns())
        await database.close()
        return {
            table or "": [f"{column['name']} {column['type']}" for column in columns]
            for (_, table), columns in found.items()
        }

    def run(self, *statements: Executable) -> list[AnyRow]:
        """Run statements as the application does; returns the rows of the last one."""
        return asyncio.run(self._run(statements))

    async def _run(self, statements: Iterable[Executable]) -> list[AnyRow]:
        database = Tables(self.url)
        rows: list[AnyRow] = []
        for statement in statements:
            rows = list(await database.execute(statement))
        await database.close()
        return rows


@pytest.fixture
def line(empty_url: str, tmp_path: Path) -> Line:
    """A database with a user, a session, and three generations of an owner's rows."""
    return inhabited(empty_url, tmp_path)


def inhabited(url: str, tmp_path: Path) -> Line:
    (tmp_path / "versions").mkdir()
    line = Line(url, tmp_path / "versions")
    line.add(MAKE_FAMILY)
    line.upgrade()
    line.run(
        insert(User).values(email="ada@example.com", password_hash="x"),
        insert(Session).from_select(
            ["id", "token_id", "user_id", "token_hash", "created_at", "rotated_at", "expires_at"],
            select(User.id, User.id, User.id, *(3 * [User.created_at]), User.created_at),
        ),
        *map(text, FAMILY_ROWS),
    )
    assert line.rows() == ROWS
    return line


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", ["users", "test_parents", "test_children"])
def test_a_migration_keeps_the_rows_that_refer_to_what_it_changes(
    line: Line, table: str, change: str
) -> None:
    upgrade, downgrade = (step.format(table=table) for step in CHANGES[change])
    before = line.schema()
    line.add(upgrade, downgrade)

    line.upgrade()
    assert line.rows() == ROWS
    line.downgrade()

    assert line.rows() == ROWS
    assert line.schema().keys() == before.keys()


def test_a_migration_that_fails_midway_leaves_schema_and_rows_as_they_were(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    before = line.schema()
    line.add(LONGER.format(table="users"))
    line.add(FAILING)
    capsys.readouterr()

    with pytest.raises(IntegrityError):
        line.upgrade()

    assert line.rows() == ROWS
    assert line.schema() == before
    assert "applied" not in capsys.readouterr().err, "the first was taken back as well"


def test_a_migration_that_fails_midway_on_the_way_back_leaves_all_as_it_was(line: Line) -> None:
    line.add("pass", FAILING)
    line.add(
        LONGER.format(table="users"),
        SHORTER.format(table="users"),
    )
    line.upgrade()
    before = line.schema()

    with pytest.raises(IntegrityError):
        line.downgrade(steps=2)

    assert line.rows() == ROWS
    assert line.schema() == before


def test_rows_that_would_refer_to_nothing_fail_the_migration_on_sqlite(tmp_path: Path) -> None:
    """Nothing cascades meanwhile, so a migration has to name each row that it deletes."""
    line = inhabited(f"sqlite:///{tmp_path}/dangling.db", tmp_path)
    before = line.schema()
    line.add(LONGER.format(table="users"))
    line.add('op.execute("DELETE FROM test_parents")')

    with pytest.raises(CommandError, match=r": 2 of test_children \(to test_parents\); nothing "):
        line.upgrade()

    assert line.rows() == ROWS
    assert line.schema() == before


def test_rows_that_a_migration_names_are_deleted(line: Line) -> None:
    tables = ("test_grandchildren", "test_children", "test_parents")
    line.add("; ".join(f"op.execute(sa.delete(sa.table('{table}')))" for table in tables))

    line.upgrade()

    assert line.rows() == ROWS | dict.fromkeys(tables, 0)


def test_rows_that_referred_to_nothing_before_are_no_matter_while_nothing_is_applied(
    tmp_path: Path,
) -> None:
    line = inhabited(f"sqlite:///{tmp_path}/dangling.db", tmp_path)
    line.run(text("PRAGMA foreign_keys = OFF"), text("DELETE FROM test_parents"))

    line.upgrade()
    command.current(line.config)


def test_the_plain_command_says_it_in_one_sentence(tmp_path: Path) -> None:
    line = inhabited(f"sqlite:///{tmp_path}/dangling.db", tmp_path)
    line.add('op.execute("DELETE FROM users")')
    places = line.config.get_main_option("version_locations")
    (tmp_path / "alembic.ini").write_text(
        f"[alembic]\nversion_locations = {places}\npath_separator = os\n"
    )
    migration = start_migrating(line.url, "-c", str(tmp_path / "alembic.ini"))
    out, err = migration.communicate(timeout=GIVE_UP_SECONDS)

    assert migration.returncode != 0
    assert err == ""
    assert "FAILED: rows would refer to rows that are missing: " in out
    assert "1 of refresh_tokens (to users)" in out
    assert "1 of test_parents (to users)" in out
    assert line.rows() == ROWS


def refusal_of_plain_command(url: str) -> str:
    """What `alembic upgrade head` says: one sentence, no traceback."""
    migration = start_migrating(url)
    out, err = migration.communicate(timeout=GIVE_UP_SECONDS)
    assert migration.returncode != 0
    assert err == ""
    assert "Background on this error" not in out
    return next(line for line in out.splitlines() if "FAILED: " in line)


def test_a_foreign_table_of_the_same_name_is_named(empty_url: str) -> None:
    async def make_it() -> None:
        database = Tables(empty_url)
        await database.execute(text("CREATE TABLE users (id integer)"))
        await database.close()

    asyncio.run(make_it())

    said = refusal_of_plain_command(empty_url)

    assert re.search(r"the database refuses: .*users.* already exists; ", said)
    assert "not from these migrations" in said


@contextmanager
def as_another(url: str, *options: str) -> Iterator[str]:
    """The URL for a new role, which may create nothing: `as_another(url, "CONNECTION LIMIT 1")`."""
    role = f"role_{secrets.token_hex(6)}"
    orders = [f"ALTER ROLE {role} {option}" for option in options]
    asyncio.run(as_owner(url, f"CREATE ROLE {role} LOGIN PASSWORD '{role}'", *orders))
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        yield parts._replace(netloc=f"{role}:{role}@{host}").geturl()
    finally:
        asyncio.run(as_owner(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}"))


async def as_owner(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(driver_url(url))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@needs_postgresql
@directly
def test_a_role_that_may_not_create_is_told_what_to_do(empty_url: str) -> None:
    with as_another(empty_url) as url:
        said = refusal_of_plain_command(url)

    assert "the database refuses: permission denied for schema public; migrate as" in said


@needs_postgresql
@directly
@pytest.mark.parametrize(
    ("option", "refused"),
    [
        ("CONNECTION LIMIT 0", "too many connections for role "),
        ("NOLOGIN", "role .* is not permitted to log in"),
        ("SET lock_timeout = 1", "canceling statement due to lock timeout"),
    ],
)
def test_what_the_server_refuses_is_one_sentence(empty_url: str, option: str, refused: str) -> None:
    with as_another(empty_url, option) as url, migration_under_way(empty_url):
        said = refusal_of_plain_command(url)

    assert re.search(f"the database refuses: {refused}.*; nothing was changed; correct ", said)


@contextmanager
def migration_under_way(url: str) -> Iterator[None]:
    """Somebody else's holds its lock until the end of the block."""
    lock = re.search(r"^LOCK = ([\d_]+)$", (ROOT / "migrations/env.py").read_text(), re.MULTILINE)
    assert lock is not None

    async def hold() -> asyncpg.Connection:
        connection = await asyncpg.connect(driver_url(url))
        await connection.execute(f"SELECT pg_advisory_lock({int(lock[1])})")
        return connection

    with asyncio.Runner() as runner:
        connection = runner.run(hold())
        try:
            yield
        finally:
            runner.run(connection.close())


def test_a_database_that_does_not_answer_is_one_sentence(closed_port: int) -> None:
    said = refusal_of_plain_command(f"postgresql://user@127.0.0.1:{closed_port}/name")
    assert said.endswith("the database does not answer; start it, or correct DATABASE_URL")


def test_a_directory_that_takes_no_files_is_said_with_what_to_do(tmp_path: Path) -> None:
    said = refusal_of_plain_command(f"sqlite:///file:{tmp_path}/none.db?mode=ro&uri=true")

    refused = "the database refuses: unable to open database file; make its file, and the directory"
    assert refused in said
