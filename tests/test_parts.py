"""Parts: chosen when a project is made, added and removed later, and each may be missing."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Result, authkit, environ
from tests.projects import lend_environment
from tests.stamps import checkout_with_stamps
from tests.test_recipe import SHAPE
from tests.test_update import commit, edit, files_of, git, released

from authkit.parts.left_settings import SETTINGS
from authkit.project.migration_files import VERSIONS, found
from authkit.template.parts import parts_of

TEMPLATE = Path(__file__).parent.parent / "template"
KNOWN = parts_of().known
Files = dict[str, tuple[int, bytes]]
"""Mode and content by path."""

WITHOUT_PARTS = "0.5.1"
"""The last release before there were parts."""

LONGEST_REVISION = 32 - len("_dropped_2")
"""Alembic keeps a revision in a column of 32 characters."""


def made(root: Path, *args: str) -> Path:
    """The files of a project, committed; no environment."""
    result = authkit("new", str(root), "--no-install", "-y", *args)
    assert result.code == 0, result.err
    return root


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with every part; only ever copied."""
    return made(tmp_path_factory.mktemp("everything") / "myapi", "--with", ",".join(KNOWN))


@pytest.fixture
def project(everything: Path, tmp_path: Path) -> Path:
    """That project, to be changed."""
    return Path(shutil.copytree(everything, tmp_path / "myapi", symlinks=True))


def test_every_part_of_the_template_can_be_chosen() -> None:
    assert "sessions" in KNOWN
    assert set(parts_of().default) <= set(KNOWN)


def test_the_migrations_of_the_template_follow_each_other_by_name() -> None:
    """So the gap that a part leaves can be closed, and a copy of its revision has a name."""
    files = sorted((TEMPLATE / "migrations/versions").glob("*.py"))
    migrations = found((file.name, file.read_text()) for file in files)

    followed = [migration.follows for migration in migrations]
    assert followed == [(), *((migration.revision,) for migration in migrations[:-1])]
    assert max(len(migration.revision) for migration in migrations) <= LONGEST_REVISION


class TestNew:
    def test_names_the_parts_and_leaves_out_their_files(self, tmp_path: Path) -> None:
        with_it = authkit("new", "a", "--dry-run", "--json", cwd=tmp_path)
        without = authkit("new", "a", "--without", "sessions", "--dry-run", "--json", cwd=tmp_path)

        assert with_it.json["parts"] == ["sessions"]
        assert without.json["parts"] == []
        missing = set(with_it.json["files"]) - set(without.json["files"])
        assert {"app/api/sessions.py", "docs/sessions.md"} <= missing
        assert without.json["files"] == [f for f in with_it.json["files"] if f not in missing]

    @pytest.mark.parametrize("option", ["--with", "--without"])
    def test_an_unknown_part_is_refused_and_the_known_are_named(
        self, tmp_path: Path, option: str
    ) -> None:
        result = authkit("new", "a", option, "sessions,cheese", cwd=tmp_path)

        assert result.code == 2
        assert "there is no part cheese" in result.err
        assert "known are sessions" in result.err
        assert not list(tmp_path.iterdir())

    def test_a_part_can_t_be_wanted_and_not_wanted(self, tmp_path: Path) -> None:
        both = ("--with", "sessions", "--without", "sessions")
        result = authkit("new", "a", *both, cwd=tmp_path)

        assert result.code == 2
        assert "sessions is named with --with and --without" in result.err


@pytest.mark.parametrize("part", KNOWN)
def test_removed_and_added_again_it_is_as_if_it_had_been_chosen(
    project: Path, tmp_path: Path, part: str
) -> None:
    others = [name for name in KNOWN if name != part]
    chosen = ("--with", ",".join(others)) if others else ()
    without = made(tmp_path / "fresh" / "myapi", "--without", part, *chosen)
    before = files_of(project)

    removed = authkit("remove", part, "--json", cwd=project)

    assert removed.code == 0, removed.err
    migrations, rest = migrations_and_rest(files_of(project))
    assert rest == migrations_and_rest(files_of(without))[1]
    assert migrations == migrations_and_rest(before)[0], "databases follow them"
    assert removed.json["parts"] == others
    assert json.loads(authkit("info", "--json", cwd=project).out)["parts"] == others
    commit(project)

    added = authkit("add", part, "--json", cwd=project)

    assert added.code == 0, added.err
    assert files_of(project) == before


def migrations_and_rest(files: Files) -> tuple[Files, Files]:
    migrations = {name: files[name] for name in files if name.startswith(VERSIONS)}
    return migrations, {name: files[name] for name in files.keys() - migrations.keys()}


class TestRefusals:
    @pytest.mark.parametrize("command", ["add", "remove"])
    def test_an_unknown_part(self, project: Path, command: str) -> None:
        result = authkit(command, "cheese", cwd=project)

        assert result.code == 2
        assert "there is no part cheese" in result.err
        assert "known are sessions" in result.err

    def test_uncommitted_changes(self, project: Path) -> None:
        (project / "notes.txt").write_text("mine")

        result = authkit("remove", "sessions", cwd=project)

        assert result.code == 1
        assert "not committed" in result.err
        assert git(project, "status", "--porcelain") == "?? notes.txt\n"

    def test_a_project_of_before_there_were_parts(self, tmp_path: Path) -> None:
        project = released(WITHOUT_PARTS, "--no-install", "-y", cwd=tmp_path)

        result = authkit("remove", "sessions", cwd=project)

        assert result.code == 1
        assert "has no parts" in result.err
        assert "hint: authkit update" in result.err

    def test_nothing_to_drop(self, tmp_path: Path) -> None:
        project = made(tmp_path / "myapi", "--without", "sessions")

        result = authkit("remove", "sessions", "--drop-data", cwd=project)

        assert result.code == 1
        assert "nor its tables" in result.err
        assert git(project, "status", "--porcelain") == ""

    def test_answers_that_are_no_list(self, project: Path) -> None:
        edit(project / ".copier-answers.yml", "parts:\n", "parts: all\nnever:\n")
        commit(project)

        result = authkit("remove", "sessions", cwd=project)

        assert result.code == 1
        assert "`parts` in" in result.err
        assert "Traceback" not in result.err


def test_what_is_so_already_is_said(project: Path) -> None:
    result = authkit("add", "sessions", cwd=project)

    assert result.code == 0
    assert "sessions is there already" in result.err
    assert authkit("add", "sessions", "--json", cwd=project).json["changes"] == []


def test_a_dry_run_shows_it_and_changes_nothing(project: Path) -> None:
    result = authkit("remove", "sessions", "--dry-run", cwd=project)

    assert result.code == 0, result.err
    assert "would be removed\tapp/api/sessions.py" in result.out
    assert "it has no tables of its own" in result.err
    assert git(project, "status", "--porcelain") == ""


def test_settings_that_stay_are_named(project: Path) -> None:
    """A private key among them: nothing deletes it, and nothing reads it any more."""
    with (project / ".env").open("a") as file:
        file.write("JWT_PRIVATE_KEYS=canary.pem\nREFRESH_COOKIE=true\n")

    result = authkit("remove", "jwks", "--dry-run", "--json", cwd=project)

    assert result.code == 0, result.err
    told = result.json["beforeYouDeploy"]
    assert list(told["settings"]) == ["JWT_PRIVATE_KEYS"]
    assert "authkit add jwks" in told["settings"]["JWT_PRIVATE_KEYS"]
    assert "canary" not in result.out
    refused = "Access tokens signed by a key pair are refused"
    assert any(refused in said for said in told["behaviour"])
    shown = authkit("remove", "jwks", "--dry-run", cwd=project)
    assert "JWT_PRIVATE_KEYS: is set, and nothing reads it" in shown.err


def test_the_settings_of_each_part_are_known() -> None:
    """`remove` and `doctor` read no template for them."""
    excluded = (TEMPLATE.parent / "copier.yml").read_text()
    found = {}
    for part, folder in re.findall(r"'(\w+)' not in parts %\}(app/\w+)\{%", excluded):
        if (file := TEMPLATE / folder / "settings.py").is_file():
            kind = file.read_text().partition("(PartSettings):")[2]
            names = re.findall(r"^    (\w+): ", kind, re.MULTILINE)
            found[part] = tuple(name.upper() for name in names)
    assert found == SETTINGS


def test_a_file_of_the_part_that_its_owner_edited_is_a_conflict(project: Path) -> None:
    edit(project / "app/api/sessions.py", '"""', '"""Mine. ')
    edit(project / "app/main.py", '"""', '"""Mine too. ')
    commit(project)
    before = files_of(project)

    result = authkit("remove", "sessions", "--json", cwd=project)

    assert result.code == 4
    assert result.json["conflicts"] == ["app/api/sessions.py"]
    changes = {change["path"]: change for change in result.json["changes"]}
    assert changes["app/api/sessions.py"]["kind"] == "conflicting"
    assert "git rm -- app/api/sessions.py" in changes["app/api/sessions.py"]["note"]
    assert changes["docs/sessions.md"]["kind"] == "removed"
    assert (project / "app/api/sessions.py").read_text().startswith('"""Mine. ')
    assert (project / "app/main.py").read_text().startswith('"""Mine too. ')
    assert "app/api/sessions.py" in git(project, "ls-files", "--unmerged")

    assert result.json["undo"] == "git reset --hard"
    git(project, "reset", "--hard")
    assert files_of(project) == before
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize("missing", KNOWN)
def test_a_project_without_it_passes_everything(
    checked: Path, tmp_path: Path, missing: str
) -> None:
    """The drill, with all other parts: linter, types, migrations, and the tests that look at a
    project as it is put together. The others ask the same files in test_render: once in a project
    without any part, once in one with every part."""
    others = ",".join(part for part in KNOWN if part != missing)
    root = made(tmp_path / "myapi", "--without", missing, *(("--with", others) if others else ()))
    lend_environment(checked, root)

    for tool in (
        *(["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]),
        *(["alembic", "upgrade", "head"], ["alembic", "check"]),
        ["pytest", "-q", "--no-cov", "-n0", *(f"tests/{name}.py" for name in SHAPE)],
    ):
        run(root, *tool)


def run(root: Path, *tool: str) -> str:
    """A tool of the project's own environment."""
    result = subprocess.run(
        [str(root / ".venv/bin/python"), "-m", *tool],
        cwd=root,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{tool}: {(result.stdout + result.stderr)[-5000:]}"
    return result.stdout


@dataclass(frozen=True)
class Stamped:
    """A project of a template that has a part with a table, migrated, and the authkit for it."""

    root: Path
    authkit_source: Path

    def authkit(self, *args: str) -> Result:
        path = {"PYTHONPATH": str(self.authkit_source / "cli")}
        return authkit(*args, cwd=self.root if self.root.is_dir() else None, env=path)

    def change(self, *args: str) -> Result:
        """Add or remove; the database is brought along, and its schema is that of the models."""
        result = self.authkit(*args, "--json")
        assert result.code == 0, result.err
        assert result.json["done"] == ["environment", "migrations", "contract", "tests"]
        assert "No new upgrade operations" in run(self.root, "alembic", "check")
        commit(self.root)
        return result

    def names(self) -> list[str] | None:
        """What the stamps of the database are called; None when it has no such table."""
        with sqlite3.connect(self.root / "app.db") as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'stamps'").fetchall():
                return None
            return [name for (name,) in database.execute("SELECT name FROM stamps ORDER BY name")]

    def stamp(self, name: str) -> None:
        with sqlite3.connect(self.root / "app.db") as database:
            database.execute(
                "INSERT INTO users (id, email, password_hash, role, is_active, created_at,"
                " updated_at) VALUES (?, ?, '', 'user', 1, 0, 0)",
                (name, f"{name}@example.com"),
            )
            database.execute(
                "INSERT INTO stamps (id, user_id, name) VALUES (?, ?, ?)", (name, name, name)
            )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout_with_stamps(tmp_path_factory.mktemp("stamps") / "authkit")


def make(project: Stamped, *args: str) -> None:
    result = project.authkit("new", str(project.root), "--no-install", "-y", *args)
    assert result.code == 0, result.err


@pytest.fixture
def stamped(pristine: Path, source: Path, tmp_path: Path) -> Stamped:
    """Made without the part, with a migration of its owner's."""
    project = Stamped(tmp_path / "myapi", source)
    make(project)
    assert not (project.root / "app/stamps").exists()
    lend_environment(pristine, project.root)
    # The suite is another test's subject; here it would take minutes for each step.
    (project.root / "tests/conftest.py").unlink()
    shutil.rmtree(project.root / "tests/api")
    for path in (project.root / "tests").rglob("test_*.py"):
        path.unlink()
    (project.root / "tests/test_mine.py").write_text("def test_mine() -> None:\n    pass\n")
    edit(project.root / "pyproject.toml", "fail_under = 90", "fail_under = 0")
    run(project.root, "alembic", "upgrade", "head")
    run(project.root, "alembic", "revision", "-m", "mine")
    run(project.root, "alembic", "upgrade", "head")
    commit(project.root)
    return project


def test_a_part_s_tables_come_last_stay_and_go_when_that_is_said(stamped: Stamped) -> None:
    added = stamped.change("add", "stamps")
    assert added.json["data"] == "created"
    assert stamped.names() == []
    stamped.stamp("ada")

    removed = stamped.change("remove", "stamps")
    assert removed.json["data"] == "kept"
    assert not (stamped.root / "app/stamps/models.py").exists()
    assert (stamped.root / "migrations/versions/9001_stamps.py").is_file()
    assert stamped.names() == ["ada"]

    dropped = stamped.change("remove", "stamps", "--drop-data")
    assert dropped.json["data"] == "dropped"
    assert re.search(r"authkit migrate --to \S+ && git reset --hard", dropped.json["undo"])
    assert dropped.json["backup"], "on SQLite a copy is kept first"
    assert stamped.names() is None

    run(stamped.root, "alembic", "downgrade", "-1")
    assert stamped.names() == [], "what the migration takes back is what adding again would make"
    run(stamped.root, "ruff", "check", "migrations")
    run(stamped.root, "ruff", "format", "--check", "migrations")
    run(stamped.root, "alembic", "downgrade", "base")


def test_a_fresh_project_has_one_line_with_or_without_the_part(
    stamped: Stamped, tmp_path: Path
) -> None:
    """The migration after the part's follows the one before it where the part is missing."""
    later = "migrations/versions/9002_later.py"
    assert 'down_revision = "9001_stamps"' not in (stamped.root / later).read_text()

    new = Stamped(tmp_path / "with" / "myapi", stamped.authkit_source)
    make(new, "--with", "stamps")

    assert 'down_revision = "9001_stamps"' in (new.root / later).read_text()
    assert os.path.lexists(new.root / "app/stamps/models.py")
