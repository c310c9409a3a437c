"""docs/asvs.md is whole and true: no requirement left out, no proof that is not there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.accounts import models
from app.foundation.database import Base
from app.foundation.mail import QueuedMail
from tests.helpers import ROOT
from tests.test_documents import in_backticks, names_in, page, references, table

PAGE = page("docs/asvs.md")
ROWS = table(PAGE, "requirement")

LEVELS_1_AND_2 = {
    # The last number of each section, and those in between that are of level 3.
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "9.1": 3, "9.2": 4,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
}  # fmt: skip
"""How many requirements of these levels each section of ASVS 5.0.0 has. They come first in it."""

OURS = ("accounts", "foundation", "manage")
"""What the page is about. Features and their tables are their owner's."""

CRYPTOGRAPHY = {"hashlib", "hmac", "secrets", "bcrypt", "jwt", "ssl", "random", "cryptography"}

CLIENTS = {
    *(
        "aiohttp",
        "aiosmtplib",
        "asyncpg",
        "ftplib",
        "HTTPSConnection",
        "httpx",
        "redis",
        "requests",
    ),
    *("smtplib", "socket", "urllib3", "SysLogHandler", "open_connection", "urlopen"),
}
"""What opens connections. `urllib.parse` does not."""


def test_no_requirement_is_left_out() -> None:
    expected = [
        f"{section}.{number}"
        for section, last in LEVELS_1_AND_2.items()
        for number in range(1, last + 1)
    ]
    assert [row[0] for row in ROWS] == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_requirement_is_met_by_a_test_or_has_a_reason(row: list[str]) -> None:
    _, asks, judged, why = row
    assert asks
    assert judged in {"met", "decided", "not here"}
    tests = [name for name in references(why) if "::" in name]
    assert bool(tests) is (judged == "met")
    assert judged != "decided" or len(why) > 20
    for reference in tests:
        file, _, name = reference.partition("::")
        if (ROOT / file).is_file() or not is_of_a_part(file):
            assert name in names_in(ROOT / file), reference


def is_of_a_part(file: str) -> bool:
    """Parts may be absent, with their tests."""
    return file == "tests/api/test_sessions.py"


OF_PARTS = tuple(
    f"app/manage/{name}.py" for name in ("key_pairs", "personal_tokens", "user_import")
)
"""What the commands of parts use is on the page of each."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in OURS:
        for file in sorted((ROOT / "app" / folder).rglob("*.py")):
            if file.relative_to(ROOT).as_posix() not in OF_PARTS:
                yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def used_in(tree: ast.Module) -> set[str]:
    """The names of imported packages, and of what is taken out of them or called."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module.partition(".")[0], *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
    return names


def listed(heading: str) -> set[str]:
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    [text] = [part for part in section if part.startswith(heading)]
    return {in_backticks(row[0]) for row in table(text, "module")}


def test_the_inventory_of_cryptography_is_complete() -> None:
    using = {name for name, tree in modules() if packages_of(tree) & CRYPTOGRAPHY}

    assert using == listed("Cryptography in use")


def packages_of(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_nobody_else_is_talked_to() -> None:
    known = listed("Who is talked to")
    talking = {name for name, tree in modules() if used_in(tree) & CLIENTS}
    assert talking

    def is_known(name: str) -> bool:
        return name in known or any(f"{parent}/" in known for parent in Path(name).parents)

    assert {name for name in talking if not is_known(name)} == set()


def test_every_column_has_a_level() -> None:
    documented = {
        in_backticks(name): [column for cell in cells for column in references(cell)]
        for name, *cells in table(PAGE, "table")
    }
    columns = {
        table.name: [column.name for column in table.columns]
        for table in Base.metadata.sorted_tables
        if any(model.__table__ is table for model in models_of_the_accounts())
    }
    assert {name: sorted(cells) for name, cells in documented.items()} == {
        name: sorted(names) for name, names in columns.items()
    }


def models_of_the_accounts() -> list[type[Base]]:
    found = [value for value in vars(models).values() if isinstance(value, type)]
    return [
        QueuedMail,
        *(model for model in found if issubclass(model, Base) and model is not Base),
    ]
