"""What references name: resources that were generated before, whatever their plurals are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authkit.generate.names import Names, names_of, pascal

MODEL: Final = re.compile(
    r"^class (?P<name>\w+)\(.*\n(?:(?!class ).*\n)*?"
    r"\s+__tablename__\s*=\s*[\"'](?P<table>\w+)[\"']",
    re.MULTILINE,
)
WHO: Final = re.compile(r"^(Owner|Member|Admin) = ", re.MULTILINE)
"""The line of a generated router that says who may."""


@dataclass(frozen=True)
class Parent(Names):
    """What a field refers to."""

    who: str = ""
    """Whose it is, as its router says; empty where there is none."""

    @property
    def is_owned(self) -> bool:
        """Whether each row is its owner's: then it has to be the same user's."""
        return self.who == "Owner"


def parent_of(root: Path, singular: str) -> Parent:
    """Its plural is the table's, if it has one: nobody has to say again that it is irregular."""
    tables = {
        match["name"]: match["table"] for _, code in models(root) for match in MODEL.finditer(code)
    }
    names = names_of(singular, tables.get(pascal(singular)))
    who = WHO.search(text_of(root / "app/api" / f"{names.plural}.py"))
    return Parent(names.singular, names.plural, who[1] if who else "")


def models(root: Path) -> Iterator[tuple[str, str]]:
    """The modules of the project's tables, by their paths."""
    yield from sources(root, "app/**/models.py")


def sources(root: Path, pattern: str) -> Iterator[tuple[str, str]]:
    for file in sorted(root.glob(pattern)):
        yield file.relative_to(root).as_posix(), text_of(file)


def text_of(file: Path) -> str:
    """Nothing, where there is no file."""
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
