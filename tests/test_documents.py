"""Our documents tell the truth: commands exist, links lead somewhere, walk-throughs work."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import authkit
from tests.markdown import Block, blocks, rows, section
from tests.serving import Api, Shell, serving

from authkit.cli import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
WALK_SECTIONS = {"README.md": "## Walk through it", "template/README.md": "## Try it"}


def test_readme_lists_every_command() -> None:
    documented = {
        row[0].strip("`").split()[1] for row in rows(section(README, "## Commands"), "command")
    }

    assert documented == {name for names in COMMANDS.values() for name in names}


def test_readme_lists_every_subcommand() -> None:
    for command, what in rows(section(README, "## Commands"), "command"):
        if command.endswith("…`"):
            for name in what.split(" the ")[0].replace(" and ", ", ").split(", "):
                group = command.strip("`…").split()[1]
                assert authkit(group, name, "--help").code == 0, f"{group} {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)

    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("page", ["in-the-wild.md", "mail-delivery.md", "attacked.md"])
def test_what_was_shown_has_its_tests(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)

    assert named
    for file, test in named:
        source = (ROOT / "template" / file).read_text(encoding="utf-8")
        assert f"def {test}(" in source, f"{file} has no {test}"


def test_readme_counts_the_defences() -> None:
    security = (ROOT / "template/SECURITY.md").read_text(encoding="utf-8")
    defences = re.findall(r"^\| \d+ \|", security, re.MULTILINE)

    assert f"each of {len(defences)} defences" in README


def test_the_generated_readme_is_read_in_minutes() -> None:
    assert len((ROOT / "template/README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_the_generated_readme_leads_to_every_page() -> None:
    """But to those of parts, which may be left out."""
    readme = (ROOT / "template/README.md").read_text(encoding="utf-8")
    pages = sorted((ROOT / "template/docs").glob("*.md"))
    base = [page for page in pages if not re.search(r"This is a\s+part:", page.read_text("utf-8"))]

    assert [page.name for page in base if f"](docs/{page.name})" not in readme] == []


def test_a_fresh_project_has_what_its_documents_install_with(myapi: Path) -> None:
    """Everything is installed, so pip has nothing to fetch; but it has to be there."""
    page = (myapi / "docs" / "test.md").read_text(encoding="utf-8")
    (install,) = re.findall(r"^\| install \| `(.+)` \|", page, re.MULTILINE)

    subprocess.run([*install.split(), "--no-index"], cwd=myapi, check=True, capture_output=True)


# ---- The walk-throughs ------------------------------------------------------------------------


@pytest.fixture
def api(myapi: Path, tmp_path: Path) -> Iterator[Api]:
    """The project as `authkit serve` serves it, with a database of its own."""
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/walk.db"}
    assert authkit("migrate", cwd=myapi, env=env).code == 0
    with serving(myapi, tmp_path / "output", env) as served:
        yield served


@pytest.mark.parametrize("name", WALK_SECTIONS)
def test_a_walk_through_answers_what_it_says(name: str, api: Api) -> None:
    document = (ROOT / name).read_text(encoding="utf-8")
    walk = list(blocks(section(document, WALK_SECTIONS[name])))
    assert len(walk) >= 4

    shell = Shell()
    try:
        for command, answer in zip(walk[::2], walk[1::2], strict=True):
            assert (command.language, answer.language) == ("sh", "json")
            assert shape(shell.type(typed(command, api))) == shape(answer.text)
    finally:
        shell.close()


def typed(command: Block, api: Api) -> str:
    """The command as typed here: on our port, and with the token pasted where one is asked for."""
    text = api.addressed(command.text)
    if "read -r token" in text:
        line, _, rest = text.partition("\n")
        return f"{line}\n{api.reset_token()}\n{rest}"
    return text


VARYING = {
    "id": re.compile(r"[0-9a-f]{8}-.*"),
    "token": re.compile(r"eyJhbGciOi.*"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"),
    "agent": re.compile(r"curl/.*"),
}


def shape(text: str) -> Any:
    """An answer with what differs every time replaced by its kind."""
    return json.loads(text, object_hook=lambda pairs: {k: kind(v) for k, v in pairs.items()})


def kind(value: Any) -> Any:
    if isinstance(value, str):
        return next((name for name, form in VARYING.items() if form.fullmatch(value)), value)
    return value


def test_every_test_of_the_table_of_other_machines_is_there() -> None:
    """A row without its test would be a promise."""
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", (ROOT / "docs/other-machines.md").read_text())

    assert len(named) > 35
    for file, name in named:
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), f"{file}::{name}"
