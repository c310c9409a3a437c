"""What the template renders: the four combinations, and each one's own suite, linter and types.

The suites are the longest part of all tests. Each combination is generated once; the default one
and the richest one run the linter and the type checker too.
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

TEMPLATE = Path(__file__).parent.parent / "template"
DEFAULT, RICHEST = ("sqlite", "memory"), ("postgres", "redis")
COMBINATIONS = [DEFAULT, ("sqlite", "redis"), ("postgres", "memory"), RICHEST]


@dataclass(frozen=True)
class Generated:
    """A project, installed, and the database that was created for it."""

    root: Path
    combination: tuple[str, str]

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


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def generated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generated]:
    database, limits = request.param
    root = tmp_path_factory.mktemp(f"{database}-{limits}") / "myapi"
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


def test_its_own_suite_passes_with_its_gate(generated: Generated) -> None:
    result = authkit("test", "--project", str(generated.root))

    assert result.code == 0, result.out[-5000:]
    total = re.search(r"Total coverage: (\S+)", result.out)
    assert total is not None, "the gate is on"
    print(f"{'-'.join(generated.combination)}: coverage {total[1]}")


def test_linter_and_types_find_nothing(generated: Generated) -> None:
    if generated.combination in {DEFAULT, RICHEST}:
        for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
            result = generated.run(*tool)
            assert result.returncode == 0, result.stdout + result.stderr


def test_the_schema_is_that_of_the_models(generated: Generated) -> None:
    result = authkit("migrate", "--check", "--project", str(generated.root))

    assert result.code == 0, result.err


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


def test_no_database_is_left_on_the_server(generated: Generated) -> None:
    """The suite makes scratch databases, and takes them away."""
    if generated.combination[0] == "postgres":
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
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=TEMPLATE, check=True, capture_output=True, text=True
    ).stdout.splitlines()

    templates = {name for name in tracked if name.endswith(".jinja")}
    assert templates == {
        "README.md.jinja",
        "pyproject.toml.jinja",
        "{{_copier_conf.answers_file}}.jinja",
    }
    python = [TEMPLATE / name for name in tracked if name.endswith(".py")]
    assert [path.name for path in python if re.search(r"\{%|\{\{ ?project", path.read_text())] == []


def test_no_answer_is_left_unrendered(tmp_path: Path) -> None:
    assert authkit("new", "my-shop", "--no-install", cwd=tmp_path).code == 0

    root = tmp_path / "my-shop"
    for name in ("README.md", "pyproject.toml", ".copier-answers.yml"):
        text = (root / name).read_text()
        assert not re.search(r"\{\{|\{%", text), name
        assert "my-shop" in text, name
    assert not any(path.is_symlink() for path in root.rglob("*"))
    assert os.listdir(tmp_path) == ["my-shop"]  # noqa: PTH208
