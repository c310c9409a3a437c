"""`authkit update`: from a wheel, offline, in another home than the project was made in.

The next two versions are cut from this repository by its own release script, with a few changes to
the template that stand for what an update can bring. Projects of earlier releases, as far as there
are any in `releases/`, come from what those contained.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg
import pytest
from tests import services
from tests.conftest import Result, authkit, environ
from tests.projects import made_once
from tests.rows import count_rows, fill
from tests.test_recipe import CONCERNED, apply, asks_the_server, recipe

from authkit import __version__
from authkit.project.environment import find_uv
from authkit.template import bundle

REPOSITORY = Path(__file__).parent.parent
MAJOR, MINOR, _ = bundle.version_key(__version__)
MIDDLE, NEXT = f"{MAJOR}.{MINOR + 1}.0", f"{MAJOR}.{MINOR + 2}.0"
ARCHIVES = [path.name.removesuffix(".tar.xz") for path in REPOSITORY.glob("releases/*.tar.xz")]
EARLIER = sorted(ARCHIVES, key=bundle.version_key)
OLDEST = EARLIER[0]
BEFORE_THE_MOVES = "0.5.1"
"""The last one with the layout that OWN_TEST and the owner's notes are written in."""

COMBINATIONS = [(d, limits) for d in ("sqlite", "postgres") for limits in ("memory", "redis")]

LATER = ("authkit openapi --write", "authkit test")

BACKUP = "/srv/app.db.backup-20261127T204600Z"
ENTRY = f"- A line about {NEXT}, for whoever updates."
MOVED = f"""
[[moves]]
version = "{NEXT}"
behaviour = ["Something is done in another way."]
files = {{ "app/manage/output.py" = "app/manage/outputs.py" }}
settings = {{ OLDER = "removed; nothing reads it" }}
"""
NEW_MIGRATION = """\"\"\"Make users anew on SQLite, and change nothing, for the sake of the update

Revision ID: {revision}
Revises: {down}
\"\"\"

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(100), type_=sa.String(100))


def downgrade() -> None:
    upgrade()
"""


OWN_TEST = """\
\"\"\"What an owner tests of their own, with names of 0.1.0.\"\"\"

import pytest

from app.accounts.services import Services
from app.config import Settings
from app.database import Base, UtcDateTime
from app.log import SecurityEvent, redact_secrets
from app.middleware.cors import CorsMiddleware
from app.rate_limit import RateLimiter


def test_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.email.SMTPS_PORT", 1)
    assert all((Base, CorsMiddleware, RateLimiter, SecurityEvent, Services, Settings, UtcDateTime))
    assert redact_secrets
"""


OWNED = ("app/notes", "app/api", "migrations", "tests/test_mine.py", "tests/api")
"""Where an owner's Python is."""


def git(directory: Path, *args: str) -> str:
    who = ("-c", "user.name=owner", "-c", "user.email=owner@localhost")
    return subprocess.run(
        ["git", *who, *args], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


def commit(directory: Path, message: str = "Mine") -> None:
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", message)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} no longer has {old!r}"
    path.write_text(text.replace(old, new, 1))


def head_revision(project: Path) -> str:
    """The last of the template's migrations, from the files alone."""
    texts = [path.read_text() for path in (project / "migrations/versions").glob("*.py")]
    revisions = {
        match[1] for t in texts if (match := re.search(r'^revision.*"(.+)"', t, re.MULTILINE))
    }
    followed = {
        match[1] for t in texts if (match := re.search(r'^down_rev.*"(.+)"', t, re.MULTILINE))
    }
    (head,) = revisions - followed
    return head


def add_migration(project: Path, revision: str) -> None:
    text = NEW_MIGRATION.format(revision=revision, down=head_revision(project))
    (project / "migrations/versions" / f"{revision}.py").write_text(text)


@dataclass(frozen=True)
class NextAuthkit:
    """The next version, installed from its wheel, in a home of its own and without a network."""

    python: Path
    home: Path

    def __call__(self, *args: str, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
        nowhere = "http://127.0.0.1:9"
        offline = {"HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "UV_OFFLINE": "1"}
        process = subprocess.run(
            [str(self.python), "-m", "authkit", *args],
            cwd=cwd,
            env=environ(
                offline | {"HOME": str(self.home), "UV_CACHE_DIR": uv_cache()} | dict(env or {})
            ),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return Result(process.returncode, process.stdout, process.stderr)


@cache
def uv_cache() -> str:
    """The caller's own uv cache, wherever HOME points to."""
    command = [find_uv(), "cache", "dir"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def write_next_source(source: Path) -> None:
    """This repository, two releases later."""
    tracked = git(REPOSITORY, "ls-files", "-co", "--exclude-standard").splitlines()
    for name in filter(lambda name: os.path.lexists(REPOSITORY / name), tracked):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, source / name, follow_symlinks=False)
    git(source, "init", "--quiet")
    commit(source, "The last release")
    if "## Unreleased" not in (source / "CHANGELOG.md").read_text():
        edit(source / "CHANGELOG.md", f"## {__version__}", f"## Unreleased\n\n## {__version__}")
    release(source, MIDDLE)
    (source / "template" / "MIDDLE.md").write_text(f"# Only {MIDDLE} has this\n")
    commit(source, f"Release {MIDDLE}")
    edit(source / "CHANGELOG.md", f"## {MIDDLE}", f"## Unreleased\n\n{ENTRY}\n\n## {MIDDLE}")
    release(source, NEXT)
    change_template(source / "template")


def release(source: Path, version: str) -> None:
    script = REPOSITORY / "scripts" / "release.py"
    options = (version, "--previous", "HEAD", "--repository", source)
    subprocess.run([sys.executable, script, *options], check=True)


def change_template(template: Path) -> None:
    """Files that are new, removed or renamed, two edits in one, a setting, a migration, a move."""
    (template / "NEWS.md").write_text(f"# What {NEXT} brings\n")
    (template / "MIDDLE.md").unlink()
    (template / ".vscode" / "extensions.json").unlink()
    (template / ".vscode" / "settings.json").rename(template / ".vscode" / "recommended.json")
    (template / "app/errors.py").write_text(
        "# The first line is new.\n" + (template / "app/errors.py").read_text() + "# So is this.\n"
    )
    example = template / ".env.example"
    example.write_text(example.read_text() + "\n# What only the next version knows.\n# NOVELTY=5\n")
    add_migration(template, "next_one")
    move_module(template)


def move_module(template: Path) -> None:
    """What the template itself does when a module of its own moves."""
    with (template / "moved.toml").open("a") as moved:
        moved.write(MOVED)
    (template / "app/manage/output.py").rename(template / "app/manage/outputs.py")
    for path in template.rglob("*.py"):
        path.write_text(
            path.read_text().replace("app.manage.output import", "app.manage.outputs import")
        )


@pytest.fixture(scope="session")
def next_authkit(tmp_path_factory: pytest.TempPathFactory) -> NextAuthkit:
    """A wheel of the next version in an environment of its own."""
    scratch = made_once(tmp_path_factory, "next", install_next)
    return NextAuthkit(scratch / "venv/bin/python", scratch / "home")


def install_next(scratch: Path) -> None:
    write_next_source(scratch / "authkit")
    uv = find_uv()
    build = [uv, "build", "--quiet", "--wheel", "--out-dir", str(scratch)]
    subprocess.run([*build, str(scratch / "authkit")], check=True)
    (wheel,) = scratch.glob("*.whl")
    venv = scratch / "venv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    python = venv / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, wheel], check=True)
    (scratch / "home").mkdir()


@pytest.fixture(scope="module")
def made_as(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The files of a project of this version and these choices, committed; no environment."""

    @cache
    def make(*choices: str) -> Path:
        directory = tmp_path_factory.mktemp("made")
        result = authkit("new", "myapi", "--no-install", "-y", *choices, cwd=directory)
        assert result.code == 0, result.err
        return directory / "myapi"

    return make


@pytest.fixture(scope="module")
def made(made_as: Callable[..., Path]) -> Path:
    return made_as()


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """That project, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "myapi", symlinks=True))


def released(version: str, *args: str, cwd: Path, env: Mapping[str, str] | None = None) -> Path:
    """`authkit new` with the template of that release: the project as it was made then."""
    code = (
        "import sys; from functools import partial; from authkit import cli;"
        "from authkit.new import build;"
        "build.render = partial(build.render, version=sys.argv.pop(1)); cli.main()"
    )
    command = [sys.executable, "-c", code, version, "new", "myapi", *args]
    nothing = subprocess.DEVNULL
    subprocess.run(command, check=True, cwd=cwd, env=environ(env), stdin=nothing, stdout=nothing)
    project = cwd / "myapi"
    assert f"_commit: v{version}\n" in (project / ".copier-answers.yml").read_text()
    return project


def files_of(project: Path) -> dict[str, tuple[int, bytes]]:
    names = git(project, "ls-files").splitlines()
    paths = {name: project / name for name in names if (project / name).exists()}
    return {name: (path.stat().st_mode, path.read_bytes()) for name, path in paths.items()}


@pytest.mark.parametrize(("database", "limits"), COMBINATIONS)
def test_an_untouched_project_becomes_a_fresh_one_byte_for_byte(
    tmp_path: Path, next_authkit: NextAuthkit, database: str, limits: str
) -> None:
    choices = ("--database", database, "--limits", limits, "--no-install")
    assert authkit("new", "myapi", *choices, cwd=tmp_path).code == 0
    (tmp_path / "fresh").mkdir()
    assert next_authkit("new", "myapi", *choices, cwd=tmp_path / "fresh").code == 0
    secrets = (tmp_path / "myapi" / ".env").read_bytes()

    result = next_authkit("update", "--json", cwd=tmp_path / "myapi")

    assert result.code == 0, result.err
    assert files_of(tmp_path / "myapi") == files_of(tmp_path / "fresh" / "myapi")
    assert (tmp_path / "myapi" / ".env").read_bytes() == secrets
    assert result.json["newSettings"] == {"NOVELTY": "5"}
    assert result.json["conflicts"] == []
    assert (result.json["from"], result.json["to"]) == (__version__, NEXT)
    kinds = {change["path"]: change["kind"] for change in result.json["changes"]}
    assert kinds["NEWS.md"] == "added"
    assert kinds[".vscode/extensions.json"] == "removed"
    assert kinds[".vscode/recommended.json"] == "renamed"
    assert kinds["app/manage/outputs.py"] == "renamed"
    assert result.json["importsRewritten"] == [], "none of the owner's"


@pytest.mark.parametrize(("database", "limits"), [COMBINATIONS[0], COMBINATIONS[-1]])
@pytest.mark.parametrize("version", EARLIER)
def test_a_project_of_an_earlier_release_becomes_one_of_this_version(
    tmp_path: Path, made_as: Callable[..., Path], version: str, database: str, limits: str
) -> None:
    choices = ("--database", database, "--limits", limits)
    project = released(version, *choices, "--no-install", cwd=tmp_path)
    assert authkit("update", "--check", cwd=project).code == 3

    result = authkit("update", "--json", cwd=project)

    assert result.code == 0, result.err
    assert (result.json["from"], result.json["to"]) == (version, __version__)
    assert files_of(project) == files_of(made_as(*choices))


def test_an_update_keeps_the_parts_that_were_chosen(
    project: Path, next_authkit: NextAuthkit
) -> None:
    def parts() -> object:
        return next_authkit("info", "--json", cwd=project).json["parts"]

    assert parts() == ["sessions"]
    removed = next_authkit("remove", "sessions", "--json", cwd=project)
    assert removed.code == 0, removed.err
    assert removed.json["version"] == __version__, "at the project's version, not at the newest"
    commit(project)

    assert next_authkit("update", cwd=project).code == 0
    commit(project)

    assert parts() == []
    assert not (project / "app/api/sessions.py").exists()
    assert next_authkit("add", "sessions", cwd=project).code == 0
    assert (project / "app/api/sessions.py").exists()


class TestCheck:
    def test_tells_by_exit_code_and_changes_nothing(
        self, project: Path, next_authkit: NextAuthkit
    ) -> None:
        there_is = next_authkit("update", "--check", "--json", cwd=project)
        there_is_none = authkit("update", "--check", "--json", cwd=project)

        assert there_is.code == 3
        assert there_is.json == {"current": __version__, "latest": NEXT, "updateAvailable": True}
        assert there_is_none.code == 0
        assert there_is_none.json["updateAvailable"] is False
        assert git(project, "status", "--porcelain") == ""

    def test_nothing_to_do_is_said(self, project: Path) -> None:
        result = authkit("update", cwd=project)

        assert result.code == 0
        assert f"at {__version__} already" in result.err


class TestDryRun:
    def test_merges_for_real_and_changes_nothing(
        self, project: Path, next_authkit: NextAuthkit
    ) -> None:
        edit(project / "app/errors.py", '"""', '# Mine.\n"""')
        (project / "requirements.txt").unlink()
        commit(project)
        before = files_of(project)

        result = next_authkit("update", "--dry-run", cwd=project)

        assert result.code == 0, result.err
        kinds = {
            path: kind
            for kind, path in re.findall(r"^would be (\w+)\t(\S+)", result.out, re.MULTILINE)
        }
        assert kinds["NEWS.md"] == "added"
        assert "requirements.txt" not in kinds, "what was deleted stays deleted"
        assert kinds[".env.example"] == "changed"
        assert kinds["app/errors.py"] == "conflicting"
        assert ENTRY in result.err
        assert "NOVELTY" in result.err
        assert files_of(project) == before
        assert git(project, "status", "--porcelain") == ""


class TestMoves:
    """What the template moved: the owner's files name the new place, and the report says so."""

    @pytest.fixture
    def project(self, project: Path) -> Path:
        (project / "app/mine.py").write_text("from app.manage.output import print_text\n")
        edit(project / "app/manage/output.py", '"""', '# Mine.\n"""')
        commit(project)
        return project

    def test_are_followed(self, project: Path, next_authkit: NextAuthkit) -> None:
        result = next_authkit("update", "--json", cwd=project)

        assert result.code == 0, result.err
        assert "app.manage.outputs import" in (project / "app/mine.py").read_text()
        assert "# Mine.\n" in (project / "app/manage/outputs.py").read_text()
        assert not (project / "app/manage/output.py").exists()
        assert result.json["importsRewritten"] == ["app/mine.py"]
        change = {"kind": "renamed", "path": "app/manage/outputs.py"}
        assert change | {"note": "from app/manage/output.py"} in result.json["changes"]
        notice = result.json["beforeYouDeploy"]
        assert notice["settings"] == {"OLDER": "removed; nothing reads it"}
        assert notice["behaviour"][-1] == "Something is done in another way."
        git(project, "reset", "--quiet", "--hard")
        assert git(project, "status", "--porcelain") == ""
        assert "app.manage.output import" in (project / "app/mine.py").read_text()

    def test_are_shown_before_anything_is_done(
        self, project: Path, next_authkit: NextAuthkit
    ) -> None:
        result = next_authkit("update", "--dry-run", cwd=project)

        assert "would be renamed\tapp/manage/outputs.py\tfrom app/manage/output.py" in result.out
        assert "imports rewritten in: app/mine.py\n" in result.err
        _, _, deploy = result.err.partition("\nBefore you deploy:\n")
        assert "  OLDER: removed; nothing reads it\n" in deploy
        assert "  Something is done in another way.\n" in deploy
        assert git(project, "status", "--porcelain") == ""

    def test_are_none_up_to_the_version_before(
        self, project: Path, next_authkit: NextAuthkit
    ) -> None:
        result = next_authkit("update", "--to", MIDDLE, "--json", cwd=project)

        assert result.json["importsRewritten"] == []
        assert (project / "app/manage/output.py").exists()


class TestRefusals:
    def check(self, result: Result, *words: str, code: int = 1) -> None:
        assert result.code == code, result.err
        assert "hint: " in result.err
        assert "Traceback" not in result.err
        for word in words:
            assert word in result.err

    def test_uncommitted_changes(self, project: Path, next_authkit: NextAuthkit) -> None:
        (project / "notes.txt").write_text("mine")

        self.check(next_authkit("update", cwd=project), "not committed", "git stash")
        assert git(project, "status", "--porcelain") == "?? notes.txt\n"

    def test_no_repository(self, project: Path, next_authkit: NextAuthkit) -> None:
        shutil.rmtree(project / ".git")

        self.check(next_authkit("update", cwd=project), "no git repository", "git init")

    def test_a_project_that_is_newer_than_the_cli(self, project: Path) -> None:
        edit(project / ".copier-answers.yml", f"v{__version__}", "v99.0.0")
        commit(project)

        for options in ((), ("--check",), ("--dry-run",)):
            self.check(authkit("update", *options, cwd=project), "newer", "pip install --upgrade")

    def test_a_version_that_never_was(self, project: Path, next_authkit: NextAuthkit) -> None:
        edit(project / ".copier-answers.yml", f"v{__version__}", "v0.0.1")
        commit(project)

        self.check(next_authkit("update", cwd=project), "0.0.1", __version__)

    def test_answers_that_were_broken(self, project: Path, next_authkit: NextAuthkit) -> None:
        edit(project / ".copier-answers.yml", f"v{__version__}", "nonsense")
        commit(project)

        self.check(next_authkit("update", cwd=project), "git checkout")

    def test_another_template(self, project: Path, next_authkit: NextAuthkit) -> None:
        """The answers file is in the repository, and whoever can write it must not run a clone."""
        edit(project / ".copier-answers.yml", "_src_path: ~", "_src_path: https://evil.test")
        commit(project)

        self.check(next_authkit("update", cwd=project), "another template")

    def test_an_unknown_version(self, project: Path) -> None:
        self.check(authkit("update", "--to", "7.7.7", cwd=project), "7.7.7", __version__, code=2)

    def test_a_way_back(self, project: Path, next_authkit: NextAuthkit) -> None:
        assert next_authkit("update", cwd=project).code == 0
        commit(project)

        self.check(next_authkit("update", "--to", __version__, cwd=project), "git revert")

    def test_a_merge_under_way(self, project: Path, next_authkit: NextAuthkit) -> None:
        """Committing the update would also conclude the merge; giving that up, undo the update."""
        git(project, "checkout", "--quiet", "-b", "other")
        git(project, "commit", "--quiet", "--allow-empty", "--message", "theirs")
        git(project, "checkout", "--quiet", "-")
        git(project, "merge", "--quiet", "--no-ff", "--no-commit", "other")

        self.check(next_authkit("update", cwd=project), "a merge is under way", "merge --abort")

    def test_a_repository_that_git_refuses(self, project: Path, next_authkit: NextAuthkit) -> None:
        (project / ".git/config").write_text("[broken\n")

        result = next_authkit("update", cwd=project)

        assert result.code == 1
        assert "git refuses: " in result.err
        assert "git init" not in result.err

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("database: sqlite", "database: mysql", "'mysql' is not in"),
            ("database: sqlite\n", "", "lacks the answer 'database'"),
            ("project_name: myapi", "project_name: My API", "Write it like my-api"),
        ],
    )
    def test_answers_that_were_changed(
        self, project: Path, next_authkit: NextAuthkit, old: str, new: str, words: str
    ) -> None:
        edit(project / ".copier-answers.yml", old, new)
        commit(project)

        self.check(next_authkit("update", cwd=project), words, ".copier-answers.yml")


def test_a_conflict_shows_both_sides_and_is_exit_code_4(
    project: Path, next_authkit: NextAuthkit
) -> None:
    errors = project / "app/errors.py"
    errors.write_text("# My first line.\n" + errors.read_text() + "# My last line.\n")
    commit(project)

    result = next_authkit("update", cwd=project)

    assert result.code == 4, result.err
    assert "app/errors.py" in result.err
    assert "git reset --hard" in result.err
    for line in ("My first line.", "The first line is new.", "My last line.", "So is this."):
        assert f"# {line}\n" in errors.read_text()
    assert errors.read_text().count("<<<<<<<") == 2
    assert (project / "NEWS.md").is_file(), "everything else is merged"
    git(project, "reset", "--quiet", "--hard")
    assert git(project, "status", "--porcelain") == ""
    assert not (project / "NEWS.md").exists()


def test_to_an_intermediate_version_and_on_from_there(
    project: Path, next_authkit: NextAuthkit
) -> None:
    result = next_authkit("update", "--to", f"v{MIDDLE}", "--json", cwd=project)

    assert result.code == 0, result.err
    assert result.json["to"] == MIDDLE
    assert ENTRY not in result.json["changelog"]
    assert (project / "MIDDLE.md").is_file()
    assert not (project / "NEWS.md").exists()

    commit(project)
    assert next_authkit("update", cwd=project).code == 0
    assert not (project / "MIDDLE.md").exists()
    assert (project / "NEWS.md").is_file()


def test_the_template_s_own_migration_is_in_one_line_with_the_owner_s(
    project: Path, next_authkit: NextAuthkit
) -> None:
    add_migration(project, "mine")
    commit(project)

    result = next_authkit("update", "--json", cwd=project)

    notes = {change["path"]: change["note"] for change in result.json["changes"]}
    assert notes["migrations/versions/next_one.py"] == "follows your mine"
    assert head_revision(project) == "next_one"


def test_ctrl_c_while_files_are_written_waits_until_they_are(
    project: Path, next_authkit: NextAuthkit, tmp_path: Path
) -> None:
    """A terminal sends it to authkit and to git alike."""
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "git"
    wrapper.write_text(
        '#!/bin/sh\ncase "$*" in "read-tree -m -u "*) kill -INT $PPID $$;; esac\n'
        f'exec {shutil.which("git")} "$@"\n'
    )
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"

    result = next_authkit("update", cwd=project, env={"PATH": path})

    assert result.code == 130, result.err
    assert "staged" in result.err
    assert git(project, "diff", "--name-only") == ""
    assert "NEWS.md" in git(project, "diff", "--cached", "--name-only")


class TestFollowUp:
    """Environment, migrations, tests: what is done, what is left, what is said of it."""

    @pytest.fixture
    def scripted(self, project: Path) -> Path:
        """A project with an environment that answers by a script and notes how it was called."""
        (project / "requirements-dev.txt").write_text("# nothing\n")
        (project / "openapi.json").write_text("{}\n")
        commit(project)
        (project / ".venv/bin").mkdir(parents=True)
        (project / ".venv/pyvenv.cfg").write_text("version = 3.11.0\n")
        self.script(project)
        return project

    def script(self, project: Path, **answers: str) -> None:
        commands = {
            "check": "*--check-heads*",
            "current": "*alembic?current*",
            "upgrade": "*upgrade?head*",
            "backup": "*app.manage?backup*",
            "contract": "*app.manage?openapi*",
            "tests": "*pytest*",
        }
        written = json.dumps({"written": "openapi.json", "changed": True})
        contract = f"echo '{{}}' > openapi.json; echo '{written}'"
        backup = f"echo '{json.dumps({'backup': BACKUP})}'"
        known = {"check": "exit 1", "current": "echo '0001 (head)'", "backup": backup}
        known |= {"contract": contract} | answers
        cases = "".join(f"{commands[name]}) {answer};;\n" for name, answer in known.items())
        python = project / ".venv/bin/python"
        python.write_text(f'#!/bin/sh\necho "$*" >> .venv/calls\ncase "$*" in\n{cases}esac\n')
        python.chmod(0o755)

    def calls(self, project: Path) -> str:
        return (project / ".venv/calls").read_text()

    def test_all_goes_well(self, scripted: Path, next_authkit: NextAuthkit) -> None:
        result = next_authkit("update", cwd=scripted)

        assert result.code == 0, result.err
        assert "✓ Up to date" in result.err
        assert "-m alembic upgrade head" in self.calls(scripted)
        undo = "or take it all back: authkit migrate --to 0001 && git reset --hard"
        assert undo in result.err, "without its file a revision of the database has no way back"
        assert BACKUP in result.err
        assert self.calls(scripted).index("backup") < self.calls(scripted).index("upgrade head")

    def test_taking_it_back_leaves_the_copy_out_of_git(
        self, scripted: Path, next_authkit: NextAuthkit
    ) -> None:
        """As in a project of before 0.5.1, whose `.gitignore` does not know it."""
        edit(scripted / ".gitignore", "*.backup-*\n", "")
        commit(scripted)
        copy = scripted / "app.db.backup-20261127T204600Z"
        self.script(
            scripted, backup=f"touch {copy.name}; echo '{json.dumps({'backup': str(copy)})}'"
        )

        assert next_authkit("update", cwd=scripted).code == 0
        git(scripted, "reset", "--hard")

        assert copy.is_file()
        assert git(scripted, "status", "--porcelain") == ""

    def test_what_alembic_says_on_standard_output_is_passed_on(
        self, scripted: Path, next_authkit: NextAuthkit
    ) -> None:
        self.script(scripted, upgrade="echo 'FAILED: 3 of notes (to users)'; exit 255")

        result = next_authkit("update", "--json", cwd=scripted)

        assert result.code == 1
        assert "failed: 3 of notes (to users)" in result.err
        assert result.json["backup"] == BACKUP

    @pytest.mark.parametrize("name", ["ENVIRONMENT", "environment"])
    def test_production_is_never_migrated(
        self, scripted: Path, next_authkit: NextAuthkit, name: str
    ) -> None:
        """Settings are read in either case, as the project reads them."""
        result = next_authkit("update", cwd=scripted, env={name: "production"})

        assert result.code == 0, result.err
        assert "upgrade" not in self.calls(scripted)
        assert "production's settings" in result.err
        assert "\n  authkit migrate\n" in result.err
        assert "or take it all back: git reset --hard" in result.err
        assert "✓ Merged; the changes are staged" in result.err

    @pytest.mark.parametrize(
        ("answers", "said", "left"),
        [
            ({"current": "exit 1"}, "alembic current", ["authkit migrate", *LATER]),
            ({"upgrade": "exit 1"}, "alembic upgrade", ["authkit migrate", *LATER]),
            ({"contract": "exit 1"}, "app.manage openapi", [*LATER]),
            ({"tests": "exit 1"}, "tests fail", ["authkit test"]),
        ],
    )
    def test_a_step_that_fails_is_left_to_do_with_the_rest(
        self,
        scripted: Path,
        next_authkit: NextAuthkit,
        answers: dict[str, str],
        said: str,
        left: list[str],
    ) -> None:
        self.script(scripted, **answers)

        result = next_authkit("update", "--json", cwd=scripted)

        assert result.code == 1
        assert said in result.err
        assert result.json["leftToDo"][:-1] == left
        assert (scripted / "NEWS.md").is_file(), "the merge stands"

    def test_ctrl_c_leaves_the_rest_to_do(self, scripted: Path, next_authkit: NextAuthkit) -> None:
        self.script(scripted, upgrade="kill -INT $PPID; sleep 60")

        result = next_authkit("update", "--json", cwd=scripted)

        assert result.code == 130
        assert result.json["done"] == ["environment"]
        assert result.json["leftToDo"][:-1] == ["authkit migrate", *LATER]

    def test_an_owner_without_our_lock(self, scripted: Path, next_authkit: NextAuthkit) -> None:
        (scripted / "requirements-dev.txt").unlink()
        commit(scripted)

        result = next_authkit("update", "--json", cwd=scripted)

        assert result.code == 0, result.err
        assert result.json["done"] == ["migrations", "contract", "tests"]
        assert "pyproject.toml" in result.json["leftToDo"][0]

    def test_a_directory_that_is_no_environment(
        self, scripted: Path, next_authkit: NextAuthkit
    ) -> None:
        (scripted / ".venv/pyvenv.cfg").unlink()

        result = next_authkit("update", "--json", cwd=scripted)

        assert result.code == 0, result.err
        assert result.json["done"] == []
        assert "requirements-dev.txt" in result.json["leftToDo"][0]

    def test_what_is_left_to_do_can_be_typed_from_elsewhere(
        self, project: Path, next_authkit: NextAuthkit, tmp_path: Path
    ) -> None:
        result = next_authkit("update", "--project", "myapi", "--json", cwd=tmp_path)

        assert result.json["leftToDo"][0] == "cd myapi"


class TestLivingProject:
    """A project whose owner has built on it: everything of theirs stays, and it all still works.

    Its suite is not run whole. An update leaves the template's files as those of a fresh project
    (`test_an_untouched_project_becomes_a_fresh_one_byte_for_byte`), whose suite runs in
    test_render. Here they meet what the owner has made: on SQLite the tests that look at
    everything in a project are run, and on both the owner's own.
    """

    @pytest.fixture(
        params=[
            (OLDEST, "sqlite", "memory"),
            (OLDEST, "postgres", "redis"),
            (BEFORE_THE_MOVES, "sqlite", "redis"),
            (BEFORE_THE_MOVES, "postgres", "memory"),
        ],
        ids="-".join,
    )
    def living(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
        version, database, limits = request.param
        urls = {}
        if database == "postgres":
            url = services.database_named(f"authkit_{secrets.token_hex(6)}")
            urls["AUTHKIT_DATABASE_URL"] = url
        if limits == "redis":
            urls["AUTHKIT_REDIS_URL"] = services.require_redis()
        options = ("--database", database, "--limits", limits)
        released(version, *options, cwd=tmp_path, env=urls)
        live_in(tmp_path / "myapi")
        yield tmp_path / "myapi"
        if database == "postgres":
            asyncio.run(drop_database(urls["AUTHKIT_DATABASE_URL"]))

    def test_keeps_what_its_owner_made(self, living: Path, next_authkit: NextAuthkit) -> None:
        secret = (living / ".env").read_bytes()
        url = database_of(living)
        assert authkit("migrate", cwd=living).code == 0
        fill(url)
        rows = count_rows(url)
        files = CONCERNED if b"sqlite" in secret else CONCERNED[:1]
        part = {"PYTEST_ADDOPTS": " ".join(("--no-cov", "-n0", *files))}

        result = next_authkit("update", "--json", cwd=living, env=part)

        assert result.code == 0, result.err
        assert result.json["done"] == ["environment", "migrations", "contract", "tests"]
        assert (living / "app/notes/models.py").is_file()
        assert "An edited endpoint." in (living / "app/api/health.py").read_text()
        assert not (living / "compose.yaml").exists()
        assert '"iniconfig' in (living / "pyproject.toml").read_text()
        assert "iniconfig==" in (living / "requirements.txt").read_text()
        assert (living / ".env").read_bytes() == secret
        assert (living / "NEWS.md").is_file()
        assert head_revision(living) == "next_one"
        assert rows["notes"] > 0
        assert count_rows(url) == rows
        assert (result.json["backup"] is not None) == (b"sqlite" in secret)
        migrated = authkit("migrate", "--check", cwd=living)
        assert migrated.code == 0, migrated.err
        for check in (("ruff", "check"), ("ruff", "format", "--check")):
            checked = subprocess.run(
                [living / ".venv/bin/python", "-m", *check, *OWNED],
                cwd=living,
                capture_output=True,
                text=True,
                check=False,
            )
            assert checked.returncode == 0, checked.stdout


def database_of(project: Path) -> str:
    url = re.search(r"^DATABASE_URL=(.+)$", (project / ".env").read_text(), re.MULTILINE)
    assert url is not None
    return url[1].replace("sqlite:///.", f"sqlite:///{project}")


def live_in(project: Path) -> None:
    """The recipe with its migration, an own test, an edited endpoint, a deleted file, a library."""
    for step in filter(lambda block: not asks_the_server(block), recipe(project)):
        apply(step, project)
    health = project / "app/api/health.py"
    health.write_text(health.read_text() + "\n\n# An edited endpoint.\n")
    (project / "tests/test_mine.py").write_text(OWN_TEST)
    (project / "compose.yaml").unlink()
    edit(project / "pyproject.toml", "dependencies = [", 'dependencies = [\n    "iniconfig>=2",')
    everything = (project / "requirements-dev.txt").read_text()
    block = re.search(r"^iniconfig==.*\n(?: .*\n)+", everything, re.MULTILINE)
    assert block is not None
    edit(project / "requirements.txt", "\nmako==", f"\n{block[0]}mako==")
    commit(project)


async def drop_database(url: str) -> None:
    connection = await asyncpg.connect(services.DATABASE_URL)
    await connection.execute(f'DROP DATABASE "{url.rsplit("/", 1)[1]}" WITH (FORCE)')
    await connection.close()
