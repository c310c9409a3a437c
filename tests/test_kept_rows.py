"""An owner's migration keeps every row that it does not name: the recipe's notes, with rows."""

import asyncio
import re
import secrets
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from tests import services
from tests.conftest import Result, authkit, environ
from tests.projects import copy_of
from tests.rows import GENERATED, count_rows, fill, run_sql
from tests.test_recipe import live_by, shell

BROKEN = """
from alembic import op

revision, down_revision = "broken", "{down}"
branch_labels = depends_on = None


def upgrade():
    op.drop_index(op.f("ix_users_created_at"), "users")
    op.execute("{statement}")
"""
TAKEN = "INSERT INTO notes SELECT * FROM notes"
VERSION = "SELECT version_num FROM alembic_version"


@dataclass(frozen=True)
class Inhabited:
    """A project with a migration to apply, and a database with rows."""

    root: Path
    url: str

    def migrate(self, *args: str) -> Result:
        return authkit("migrate", *args, cwd=self.root, env={"DATABASE_URL": self.url})

    def alembic(self, *args: str) -> None:
        command = [str(self.root / ".venv/bin/python"), "-m", "alembic", *args]
        subprocess.run(command, check=True, cwd=self.root, env=environ({"DATABASE_URL": self.url}))

    @property
    def before_the_last(self) -> str:
        (longer,) = self.root.glob("migrations/versions/*_longer_names.py")
        before = re.search(r'^down_revision\b.* = "(\w+)"', longer.read_text(), re.MULTILINE)
        assert before is not None
        return before[1]

    def add(self, statement: str) -> Path:
        """Put a migration behind the others that changes something, and then runs a statement."""
        (longer,) = self.root.glob("migrations/versions/*_longer_names.py")
        down = re.search(r'^revision = "(\w+)"', longer.read_text(), re.MULTILINE)
        assert down is not None
        path = self.root / "migrations/versions/broken.py"
        path.write_text(BROKEN.format(down=down[1], statement=statement))
        return path


@pytest.fixture(scope="module")
def project(myapi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe's notes, and a longer name for users, which is not applied yet."""
    root = copy_of(myapi, tmp_path_factory.mktemp("kept") / "myapi")
    live_by(root)
    models = root / "app/accounts/models.py"
    text = models.read_text()
    assert text.count("name: Mapped[str | None] = mapped_column(String(100))") == 1
    models.write_text(text.replace("String(100)", "String(200)"))
    shell('.venv/bin/python -m alembic revision --autogenerate -m "longer names"', root)
    return root


@pytest.fixture(params=["sqlite", "postgres"])
def inhabited(request: pytest.FixtureRequest, project: Path, tmp_path: Path) -> Iterator[Inhabited]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/own.db"
    else:
        url = services.database_named(f"authkit_{secrets.token_hex(6)}")
        asyncio.run(on_server(f'CREATE DATABASE "{url.rpartition("/")[2]}"'))
    database = Inhabited(project, url)
    database.alembic("upgrade", database.before_the_last)
    fill(url, GENERATED)
    assert count_rows(url) == {"users": 2, "refresh_tokens": 2, "notes": 100}
    yield database
    (project / "migrations/versions/broken.py").unlink(missing_ok=True)
    if request.param == "postgres":
        asyncio.run(on_server(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)'))


async def on_server(statement: str) -> None:
    connection = await asyncpg.connect(services.require_postgres())
    await connection.execute(statement)
    await connection.close()


def test_a_longer_column_and_its_way_back_keep_every_row(inhabited: Inhabited) -> None:
    before = count_rows(inhabited.url)

    migrated = inhabited.migrate("--json")

    assert migrated.code == 0, migrated.err
    assert [step["message"] for step in migrated.json["applied"]] == ["longer names"]
    assert count_rows(inhabited.url) == before
    if inhabited.url.startswith("sqlite"):
        copy = Path(migrated.json["backup"])
        assert copy.name.startswith("own.db.backup-")
        assert str(copy) in migrated.err
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert count_rows(f"sqlite:///{copy}") == before
        assert inhabited.migrate("--json").json["backup"] is None, "nothing was to do"
    else:
        assert migrated.json["backup"] is None

    inhabited.alembic("downgrade", "-1")
    assert count_rows(inhabited.url) == before


def test_a_migration_that_fails_changes_nothing_and_says_why(inhabited: Inhabited) -> None:
    """The longer name before it, which went well, is taken back as well."""
    before, version = count_rows(inhabited.url), run_sql(inhabited.url, VERSION)
    inhabited.add(TAKEN)

    failed = inhabited.migrate()

    assert failed.code == 1
    assert "Traceback" not in failed.err
    assert re.search(r"error: Alembic failed: .*(UNIQUE|duplicate key)", failed.err)
    assert count_rows(inhabited.url) == before
    assert run_sql(inhabited.url, VERSION) == version


@pytest.mark.parametrize("inhabited", ["sqlite"], indirect=True)
def test_rows_that_would_refer_to_nothing_are_counted(inhabited: Inhabited) -> None:
    before, version = count_rows(inhabited.url), run_sql(inhabited.url, VERSION)
    inhabited.add("DELETE FROM users")

    failed = inhabited.migrate()

    assert failed.code == 1
    assert "Traceback" not in failed.err
    assert "100 of notes (to users)" in failed.err
    assert "2 of refresh_tokens (to users)" in failed.err
    assert "nothing was changed" in failed.err
    assert count_rows(inhabited.url) == before
    assert run_sql(inhabited.url, VERSION) == version
