"""What the template renders: choices and parts, and each project's own suite, linter and types.

The suites are the longest part of all tests, so what would say the same twice is said once. Two
projects run everything, with the gate: the leanest, on SQLite with limits in memory, and the
richest, on PostgreSQL and Redis, which has every part. They share no database and no counters, so
between them every test of the template has met both kinds of each, and the base's tests have met
an API without any part and with all of them. Every file of another project is a file of these two,
which is tested, so of their suites those tests are run that could tell the projects apart:

- of the default one those that look at a project as a whole, and those of its parts;
- of the other two combinations those that speak of a database and of Redis both. What speaks of
  one alone asks the same code the same questions over a connection that a whole run has had.
  On one of them, the tests of all parts as well: there they meet SQLite.
"""

import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
from tests import services
from tests.conftest import authkit, environ
from tests.projects import copy_of, lend_environment
from tests.test_recipe import ASKING_EVERYTHING
from tests.test_update import commit

from authkit import __version__
from authkit.template.migrations import close_gaps
from authkit.template.parts import parts_of
from authkit.template.source import template_bundle

TEMPLATE = Path(__file__).parent.parent / "template"
EVERY_PART = ",".join(parts_of().known)


@dataclass(frozen=True)
class Choice:
    """What a project was asked for."""

    name: str
    database: str = "sqlite"
    limits: str = "memory"
    options: tuple[str, ...] = field(default=())


LEANEST = Choice("leanest", options=("--without", "sessions"))
RICHEST = Choice("richest", "postgres", "redis", ("--with", EVERY_PART))
DEFAULT = Choice("default")
MIXED = (
    Choice("sqlite-redis", "sqlite", "redis", ("--with", EVERY_PART)),
    Choice("postgres-memory", "postgres", "memory"),
)
CHOICES = (LEANEST, RICHEST, DEFAULT, *MIXED)
OF_PARTS = re.findall(
    r"not in parts %}(tests/[^{]+)\{%", (TEMPLATE.parent / "copier.yml").read_text(encoding="utf-8")
)
"""The tests that come and go with a part."""


@dataclass(frozen=True)
class Generated:
    """A project, installed, and the database that was created for it."""

    root: Path
    choice: Choice

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """A tool of the project's own environment."""
        return subprocess.run(
            [str(self.root / ".venv/bin/python"), "-m", *args],
            cwd=self.root,
            env=environ(),
            capture_output=True,
            text=True,
            check=False,
        )

    def test(self, *arguments: str) -> str:
        """`authkit test`, which must pass; what it said."""
        result = authkit("test", "--project", str(self.root), *arguments, timeout=1800)
        assert result.code == 0, result.out[-5000:]
        return result.out

    def tests(self) -> list[Path]:
        return sorted((self.root / "tests").rglob("test_*.py"))


def each(*choices: Choice) -> list[object]:
    return [pytest.param(choice, id=choice.name) for choice in choices]


@pytest.fixture(scope="module")
def generated(
    request: pytest.FixtureRequest, checked: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generated]:
    choice: Choice = request.param
    root = tmp_path_factory.mktemp(choice.name) / "myapi"
    if choice == DEFAULT:
        yield Generated(copy_of(checked, root), DEFAULT)
        return
    # URLs may hold the passwords of the machine that runs the tests: not on a command line.
    urls = {}
    if choice.database == "postgres":
        urls["AUTHKIT_DATABASE_URL"] = services.database_named(f"authkit_{secrets.token_hex(6)}")
    if choice.limits == "redis":
        urls["AUTHKIT_REDIS_URL"] = services.require_redis()
    make(root, choice, checked, urls)
    yield Generated(root, choice)
    if choice.database == "postgres":
        asyncio.run(on_server(f'DROP DATABASE "{name_of(urls)}" WITH (FORCE)'))


def make(root: Path, choice: Choice, checked: Path, urls: dict[str, str]) -> None:
    """`authkit new`; all but the richest borrow their packages."""
    kinds = ("--database", choice.database, "--limits", choice.limits)
    lent = () if choice == RICHEST else ("--no-install",)
    made = authkit("new", str(root), *kinds, *choice.options, *lent, env=urls)
    assert made.code == 0, made.err
    if not lent:
        return
    lend_environment(checked, root)
    if choice.database == "postgres":
        asyncio.run(on_server(f'CREATE DATABASE "{name_of(urls)}"'))
    for command in (("migrate",), ("openapi", "--write")):
        done = authkit(*command, "--project", str(root))
        assert done.code == 0, done.err
    commit(root)


def name_of(urls: dict[str, str]) -> str:
    return urls["AUTHKIT_DATABASE_URL"].rsplit("/", 1)[1]


async def on_server(statement: str) -> None:
    connection = await asyncpg.connect(services.DATABASE_URL)
    await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize("generated", each(LEANEST, RICHEST), indirect=True)
def test_its_own_suite_passes_with_its_gate(generated: Generated) -> None:
    said = generated.test()  # on all cores, as its owner runs it: it waits half of the time

    total = re.search(r"Total coverage: (\S+)", said)
    assert total is not None, "the gate is on"
    print(f"{generated.choice.name}: coverage {total[1]}")


@pytest.mark.parametrize("generated", each(DEFAULT, *MIXED), indirect=True)
def test_what_could_tell_it_from_these_two_passes(generated: Generated) -> None:
    """A part of the suite covers a part of the code, so the gate is off."""
    if generated.choice == DEFAULT:
        files = {f"tests/{name}.py" for name in ASKING_EVERYTHING}
        processes = "-n0"
    else:
        files = files_about_both(generated)
        processes = "-n2"  # most of them wait, for an outage or for its end
    files |= {name for name in OF_PARTS if (generated.root / name).exists()}

    generated.test("--", processes, *sorted(files))


def files_about_both(generated: Generated) -> set[str]:
    """Tests that speak of a database and of Redis."""
    paths = {path: path.read_text(encoding="utf-8").lower() for path in generated.tests()}
    found = {
        path.relative_to(generated.root).as_posix()
        for path, text in paths.items()
        if "redis" in text and ("sqlite" in text or "postgres" in text)
    }
    must = ("test_outages", "test_shutdown", "test_application", "api/test_health")
    assert {f"tests/{name}.py" for name in must} <= found
    return found


@pytest.mark.parametrize("generated", each(LEANEST, RICHEST, DEFAULT), indirect=True)
@pytest.mark.parametrize("tool", ["ruff check .", "ruff format --check .", "mypy"])
def test_linter_and_types_find_nothing(generated: Generated, tool: str) -> None:
    result = generated.run(*tool.split())

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("generated", each(*MIXED), indirect=True)
def test_databases_and_counters_change_no_file_but_the_answers(
    generated: Generated, tmp_path: Path
) -> None:
    """So what the linter and the type checker say of one is true of all."""
    other = tmp_path / "myapi"
    assert authkit("new", str(other), "--no-install", *generated.choice.options).code == 0

    theirs, ours = rendered(generated.root), rendered(other)
    assert {name for name in theirs if theirs[name] != ours.get(name)} == {".copier-answers.yml"}


@pytest.mark.parametrize("generated", each(DEFAULT), indirect=True)
def test_every_file_is_one_of_the_two_whose_suites_run_whole(
    generated: Generated, tmp_path: Path
) -> None:
    """But for those which say what there is."""
    known = []
    for choice in (LEANEST, RICHEST):
        root = tmp_path / choice.name / "myapi"
        assert authkit("new", str(root), "--no-install", *choice.options).code == 0
        known.append(rendered(root))

    files = rendered(generated.root)
    differing = {name for name, text in files.items() if all(text != k.get(name) for k in known)}
    assert differing == {".copier-answers.yml"}


def rendered(root: Path) -> dict[str, bytes]:
    """The files that come from the template."""
    git = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(git, cwd=root, check=True, capture_output=True).stdout.split(b"\0")
    paths = {name.decode(): root / name.decode() for name in names if name}
    return {name: path.read_bytes() for name, path in paths.items() if name != "openapi.json"}


@pytest.mark.parametrize("generated", each(*CHOICES), indirect=True)
def test_the_schema_is_that_of_the_models(generated: Generated) -> None:
    result = authkit("migrate", "--check", "--project", str(generated.root))

    assert result.code == 0, result.err


@pytest.mark.parametrize("generated", each(*CHOICES), indirect=True)
def test_nothing_is_left_to_commit_after_the_suite(generated: Generated) -> None:
    """What running, testing and checking leave behind is ignored."""
    status = subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=generated.root,
        check=True,
        capture_output=True,
        text=True,
    )

    assert status.stdout == ""


@pytest.mark.parametrize("generated", each(RICHEST, MIXED[1]), indirect=True)
def test_no_database_is_left_on_the_server(generated: Generated) -> None:
    """The suite makes scratch databases, and takes them away."""
    assert asyncio.run(scratch_databases(generated)) == []


async def scratch_databases(generated: Generated) -> list[str]:
    env = (generated.root / ".env").read_text()
    match = re.search(r"^DATABASE_URL=.*/(\w+)$", env, re.MULTILINE)
    assert match is not None
    connection = await asyncpg.connect(services.DATABASE_URL)
    rows = await connection.fetch(
        "SELECT datname FROM pg_database WHERE datname LIKE $1 AND datname <> $2",
        f"{match[1]}%",
        match[1],
    )
    await connection.close()
    return [row["datname"] for row in rows]


def test_the_template_s_suite_runs_in_place() -> None:
    """Ordinary Python: one file shows that it does, the whole runs in each generated project."""
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-cov", "-q", "tests/accounts/test_tokens.py"],
        cwd=TEMPLATE,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout[-3000:]


def test_jinja_stays_in_the_few_files_that_must_differ() -> None:
    """But for the skeletons, which `authkit generate` renders and a new project does not have."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=TEMPLATE, check=True, capture_output=True, text=True
    ).stdout.splitlines()

    rendered = [name for name in tracked if not name.startswith("skeletons/")]
    templates = {name for name in rendered if name.endswith(".jinja")}
    assert templates == {
        "README.md.jinja",
        "pyproject.toml.jinja",
        "{{_copier_conf.answers_file}}.jinja",
    }
    python = [TEMPLATE / name for name in tracked if name.endswith(".py")]
    assert [path.name for path in python if re.search(r"\{%|\{\{ ?project", path.read_text())] == []


def test_every_file_is_what_copier_itself_makes_of_it(tmp_path: Path) -> None:
    """`authkit new` leaves out work of copier's, so it has to come to the same."""
    assert authkit("new", "myapi", "--no-install", "--no-git", cwd=tmp_path).code == 0
    (tmp_path / "myapi/.env").unlink()

    data = {"project_name": "myapi", "database": "sqlite", "limits": "memory"}
    options = ["--vcs-ref", f"v{__version__}", "--defaults", "--quiet"]
    answers = [f"--data={name}={value}" for name, value in data.items()]
    source = str(template_bundle())
    copier = [sys.executable, "-m", "copier", "copy", *options, *answers, source, "by-copier"]
    subprocess.run(copier, cwd=tmp_path, check=True)
    close_gaps(tmp_path / "by-copier")  # of migrations, where a part's is left out

    made, expected = (
        {
            path.relative_to(root).as_posix(): (path.stat().st_mode, path.read_bytes())
            for path in root.rglob("*")
            if path.is_file()
        }
        for root in (tmp_path / "myapi", tmp_path / "by-copier")
    )
    answers_file = ".copier-answers.yml"  # it names the source, which is a `~` path in ours
    made.pop(answers_file), expected.pop(answers_file)
    assert made == expected


def test_no_answer_is_left_unrendered(tmp_path: Path) -> None:
    assert authkit("new", "my-shop", "--no-install", cwd=tmp_path).code == 0

    root = tmp_path / "my-shop"
    for name in ("README.md", "pyproject.toml", ".copier-answers.yml"):
        text = (root / name).read_text()
        assert not re.search(r"\{\{|\{%", text), name
        assert "my-shop" in text, name
    assert not any(path.is_symlink() for path in root.rglob("*"))
    assert os.listdir(tmp_path) == ["my-shop"]  # noqa: PTH208
