"""What the template renders: the four combinations, and each one's own suite, linter and types.

The suites are the longest part of all tests, so what would say the same twice is said once. Two
combinations run everything, with the gate: the default one, and the richest one. They share no
database and no counters, so between them every test has met both kinds of each. The other two pair
the same kinds the other way round; what can tell one pair from another speaks of a database or of
Redis, and of the tests, those that do are run there too. The rest would ask the same code the same
questions over connections that the two whole runs have had already.

Linter and types look at the default one alone: the files of the richest one are the same.
"""

import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from tests import services
from tests.conftest import authkit, environ
from tests.projects import copy_of

from authkit import __version__
from authkit.template.source import template_bundle

TEMPLATE = Path(__file__).parent.parent / "template"
DEFAULT, RICHEST = ("sqlite", "memory"), ("postgres", "redis")
MIXED = [("sqlite", "redis"), ("postgres", "memory")]
ABOUT_SERVERS = re.compile(r"sqlite|postgres|redis", re.IGNORECASE)


@dataclass(frozen=True)
class Generated:
    """A project, installed, and the database that was created for it."""

    root: Path
    combination: tuple[str, str]

    @property
    def name(self) -> str:
        return "-".join(self.combination)

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

    def tracked(self) -> dict[str, bytes]:
        """The files in its repository."""
        listing = ["git", "ls-files", "-z"]
        names = subprocess.run(listing, cwd=self.root, check=True, capture_output=True).stdout
        paths = [self.root / name.decode() for name in names.split(b"\0") if name]
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in paths}


EACH = [
    pytest.param(combination, id="-".join(combination))
    for combination in (DEFAULT, RICHEST, *MIXED)
]


@pytest.fixture(scope="module")
def generated(
    request: pytest.FixtureRequest, pristine: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generated]:
    database, limits = request.param
    root = tmp_path_factory.mktemp(f"{database}-{limits}") / "myapi"
    if request.param == DEFAULT:
        yield Generated(copy_of(pristine, root), DEFAULT)
        return
    options = ["--database", database, "--limits", limits]
    # URLs may hold the passwords of the machine that runs the tests: not on a command line.
    urls = {}
    if database == "postgres":
        urls["AUTHKIT_DATABASE_URL"] = services.database_named(f"authkit_{secrets.token_hex(6)}")
    if limits == "redis":
        urls["AUTHKIT_REDIS_URL"] = services.require_redis()
    made = authkit("new", str(root), *options, env=urls)
    assert made.code == 0, made.err
    yield Generated(root, request.param)
    if database == "postgres":
        asyncio.run(drop(urls["AUTHKIT_DATABASE_URL"]))


async def drop(url: str) -> None:
    connection = await asyncpg.connect(services.DATABASE_URL)
    await connection.execute(f'DROP DATABASE "{url.rsplit("/", 1)[1]}" WITH (FORCE)')
    await connection.close()


@pytest.mark.parametrize("generated", EACH[:2], indirect=True)
def test_its_own_suite_passes_with_its_gate(generated: Generated) -> None:
    # One of them as its owner runs it, on all cores; the other leaves a core to what runs beside.
    processes = [] if generated.combination == DEFAULT else ["--", "-n0"]
    result = authkit("test", "--project", str(generated.root), *processes, timeout=1800)

    assert result.code == 0, result.out[-5000:]
    total = re.search(r"Total coverage: (\S+)", result.out)
    assert total is not None, "the gate is on"
    print(f"{generated.name}: coverage {total[1]}")


@pytest.mark.parametrize("generated", EACH[2:], indirect=True)
def test_its_tests_about_servers_pass(generated: Generated) -> None:
    """The gate is off: a part of the suite covers a part of the code."""
    files = files_about_servers(generated.root)
    must = (
        *("foundation/database/test_database", "foundation/limits/test_redis"),
        *("test_migrations", "test_outages", "test_races", "test_shutdown", "test_two_hosts"),
    )
    assert {f"tests/{name}.py" for name in must} <= set(files)

    result = authkit(
        "test", "--project", str(generated.root), "--", "--no-cov", "-n0", *files, timeout=1800
    )

    assert result.code == 0, result.out[-5000:]


def files_about_servers(root: Path) -> list[str]:
    files = sorted((root / "tests").rglob("test_*.py"))
    return [
        file.relative_to(root).as_posix()
        for file in files
        if ABOUT_SERVERS.search(file.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("generated", EACH[:1], indirect=True)
@pytest.mark.parametrize("tool", ["ruff check .", "ruff format --check .", "mypy"])
def test_linter_and_types_find_nothing(generated: Generated, tool: str) -> None:
    result = generated.run(*tool.split())

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("generated", EACH[1:], indirect=True)
def test_a_choice_changes_no_file_but_the_answers(generated: Generated, pristine: Path) -> None:
    """So what the linter and the type checker say of one is true of all."""
    theirs, default = generated.tracked(), Generated(pristine, DEFAULT).tracked()

    differing = {name for name in theirs | default if theirs.get(name) != default.get(name)}
    assert differing == {".copier-answers.yml"}


@pytest.mark.parametrize("generated", EACH, indirect=True)
def test_the_schema_is_that_of_the_models(generated: Generated) -> None:
    result = authkit("migrate", "--check", "--project", str(generated.root))

    assert result.code == 0, result.err


@pytest.mark.parametrize("generated", EACH, indirect=True)
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


@pytest.mark.parametrize("generated", [EACH[1], EACH[3]], indirect=True)
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
