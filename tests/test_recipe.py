"""The recipe of the generated docs/add-a-feature.md, applied word for word to a fresh project.

Its commands are typed, and the files that it shows must be those that they have written. In
projects of before it had no command: there, its blocks are the files to write.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import environ
from tests.markdown import Block, blocks, section
from tests.projects import copy_of
from tests.serving import serving

# What looks at a project as it is put together: its files, pages, routes and tables.
SHAPE = (
    *("api/test_openapi", "test_application", "test_architecture", "test_documents"),
    *("accounts/test_models", "test_migrations"),
)
# What a feature can break: its own tests, and those that look at every route, table, model, file
# or document of a project, whoever wrote it. The others ask for what the recipe does not touch,
# in the same code, and pass or fail as they do in test_render.
ASKING_EVERYTHING = (
    *(*SHAPE, "test_hostile_input", "test_canary"),
    *("foundation/limits/test_declaration", "foundation/limits/test_limits"),
    *("manage/test_users", "accounts/test_events"),
)
CONCERNED = ("tests/api/test_notes.py", *(f"tests/{name}.py" for name in ASKING_EVERYTHING))
OWN = ("tests/notes", "tests/comments", "tests/api/test_notes.py", "tests/api/test_comments.py")


@pytest.fixture(scope="module")
def project(checked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that nobody else changes, with the recipe applied."""
    root = copy_of(checked, tmp_path_factory.mktemp("recipe") / "myapi")
    live_by(root)
    return root


def live_by(root: Path) -> None:
    """Do what the page of the newest template says, but for what takes minutes."""
    for block in recipe(root):
        if block.language == "sh" and not asks_the_server(block) and GUARDS not in block.text:
            shell(block.text, root)


def recipe(root: Path) -> Iterator[Block]:
    page = root / "docs" / "add-a-feature.md"
    if page.is_file():
        return blocks(page.read_text(encoding="utf-8"))
    # Projects of before had it in their README.
    return blocks(section((root / "README.md").read_text(encoding="utf-8"), "## Add a feature"))


GUARDS = "tests.guards"


def asks_the_server(block: Block) -> bool:
    return block.language == "sh" and "127.0.0.1:8000" in block.text


def apply(block: Block, root: Path) -> None:
    """Do what a reader does with a block: type the command, write the file, change the lines."""
    if block.language == "sh":
        shell(block.text, root)
        return
    assert block.caption, f"nobody can tell into which file this belongs:\n{block.text}"
    path = root / block.caption
    if block.language == "diff":
        path.write_text(changed(path.read_text(), block.text))
    else:
        assert not path.exists(), f"{block.caption} is there already"
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text)


def changed(text: str, diff: str) -> str:
    """The text with the lines of a diff replaced; what it shows must stand there exactly once."""
    lines = diff.splitlines(keepends=True)
    before = "\n" + "".join(line[1:] for line in lines if line[0] in " -")
    after = "\n" + "".join(line[1:] for line in lines if line[0] in " +")
    assert ("\n" + text).count(before) == 1, f"not there, or not once:\n{before}"
    return ("\n" + text).replace(before, after)[1:]


def shell(command: str, root: Path) -> str:
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=root,
        env=environ({"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout + result.stderr


def test_the_feature_is_migrated(project: Path) -> None:
    assert "No new upgrade operations" in shell(".venv/bin/python -m alembic check", project)


def test_the_feature_can_be_taken_back(project: Path) -> None:
    shell(".venv/bin/python -m alembic downgrade -1", project)
    shell(".venv/bin/python -m alembic upgrade head", project)


@pytest.mark.parametrize("arguments", ["ruff check", "ruff format --check", "mypy"])
def test_the_feature_passes_the_checks(project: Path, arguments: str) -> None:
    shell(f".venv/bin/python -m {arguments}", project)


def test_the_feature_passes_every_test_that_it_concerns(project: Path) -> None:
    files = " ".join((*CONCERNED, *OWN))
    shell(f".venv/bin/python -m pytest -n0 --no-cov {files}", project)


def test_the_feature_is_wholly_covered_by_its_own_tests(project: Path) -> None:
    """Alone they do not pass the gate, which is the whole project's."""
    options = "-n0 --cov-fail-under=0"
    said = shell(f".venv/bin/python -m pytest {options} {' '.join(OWN)}", project)

    assert "app/accounts/" in said, "what is not covered is listed"
    for name in ("notes", "comments"):
        assert f"app/{name}/" not in said
        assert f"app/api/{name}.py" not in said


def test_no_guard_of_the_feature_goes_unnoticed(project: Path) -> None:
    (command,) = (block.text for block in recipe(project) if GUARDS in block.text)

    said = shell(f"{command.strip()} comments", project)

    assert said.count("ok  ") == 7
    assert "MISS" not in said


def test_the_feature_answers(project: Path, tmp_path: Path) -> None:
    (asking,) = filter(asks_the_server, recipe(project))
    with serving(project, tmp_path / "output") as api:
        said = shell(api.addressed(asking.text), project)
    answer, _ = json.JSONDecoder().raw_decode(said)  # then what `app.manage` noted on stderr

    assert answer.keys() == {"id", "text", "createdAt", "updatedAt"}


def test_the_recipe_shows_what_was_written(project: Path) -> None:
    shown = [block for block in recipe(project) if block.language == "python"]

    assert [block.caption for block in shown] == [
        "app/notes/models.py",
        "app/notes/records.py",
        "app/api/notes.py",
    ]
    for block in shown:
        assert (project / block.caption).read_text() == block.text, block.caption
