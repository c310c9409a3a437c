"""What becomes of a part's migrations, so that every database keeps a line that it can follow.

A database may be anywhere in that line already. So no migration that a project has ever goes or
changes its place: a new one comes last. A part's tables are dropped by one more migration, and
made again by another; both are copies of the part's own, the first turned round.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authkit.parts.report import Data
from authkit.project.migration_files import REVISION, VERSIONS, follow, found, heads, read

DIRECTION: Final = re.compile(r"\b(upgrade|downgrade)(?=\()")
TURNED: Final = {"upgrade": "downgrade", "downgrade": "upgrade"}
REVISION_ID: Final = re.compile(r"^(Revision ID:[ \t]*)\S*[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Lines:
    """The migrations of a part, and those that the project has, by path."""

    part: Mapping[str, str]
    owner: Mapping[str, str]

    @property
    def revisions(self) -> set[str]:
        return {migration.revision for migration in found(self.owner.items())}

    def text(self, path: str) -> str:
        """A migration of the part as its owner has it, for they may have changed it."""
        revision = revision_of(self.part[path])
        mine = {migration.revision: migration.path for migration in found(self.owner.items())}
        return self.owner[mine[revision]] if revision in mine else self.part[path]

    def times(self, revision: str, what: str) -> int:
        """How often the project's migrations have dropped, or made again, what `revision` made."""
        copy = re.compile(rf"{re.escape(revision)}_{what}(_\d+)?")
        return sum(1 for name in self.revisions if copy.fullmatch(name))

    def is_dropped(self, path: str) -> bool:
        revision = revision_of(self.part[path])
        return self.times(revision, "dropped") > self.times(revision, "again")

    def copy(self, path: str, what: str, *, turned: bool) -> tuple[str, str]:
        """Another migration that does the same as the part's, or takes it back: path and text."""
        revision = revision_of(self.part[path])
        before = self.times(revision, what)
        ending = f"_{what}" if before == 0 else f"_{what}_{before + 1}"
        text = self.text(path)
        if turned:
            text = DIRECTION.sub(lambda match: TURNED[match[1]], text)
            text = text.replace('"""', '"""Take back: ', 1)
        return f"{VERSIONS}/{revision}{ending}.py", renamed(text, revision + ending)


def revision_of(text: str) -> str:
    migration = read("", text)
    return migration.revision if migration else ""


def renamed(text: str, revision: str) -> str:
    """The migration's text under another revision id."""
    text = REVISION_ID.sub(lambda match: match[1].rstrip() + f" {revision}", text, count=1)
    return REVISION.sub(lambda match: match[0].replace(match[1], revision), text, count=1)


def add(lines: Lines, before: Path, after: Path) -> Data:
    """Let the part's migrations come last: those that the project lacks, or has taken back."""
    keep_places(before, after)
    data: Data = "created" if lines.part else "none"
    new = {}
    for path in sorted(lines.part):
        if lines.is_dropped(path):
            (after / path).unlink()
            copy, text = lines.copy(path, "again", turned=False)
            new[copy] = text
        elif revision_of(lines.part[path]) in lines.revisions:
            (after / path).unlink()
            data = "restored"
        elif not (before / path).is_file():
            new[path] = lines.part[path]
    append(before, after, new)
    return data


def remove(lines: Lines, before: Path, after: Path, *, drop_data: bool) -> Data:
    """Keep the part's migrations, and with `drop_data` take them back by further ones."""
    keep_places(before, after)
    if not lines.part:
        return "none"
    if not drop_data:
        return "kept"
    there = [
        path
        for path in sorted(lines.part, reverse=True)
        if not lines.is_dropped(path)
        and ((before / path).is_file() or revision_of(lines.part[path]) in lines.revisions)
    ]
    append(before, after, dict(lines.copy(path, "dropped", turned=True) for path in there))
    return "dropped" if there else "none"


def keep_places(before: Path, after: Path) -> None:
    """Whatever is rendered with other parts: what the project has stays what it is."""
    for path, text in migrations_of(before):
        (after / path).write_text(text, encoding="utf-8", newline="\n")


def append(before: Path, after: Path, new: Mapping[str, str]) -> None:
    """Put new migrations behind those of `before`, one after the other."""
    (last,) = (migration.revision for migration in heads(found(migrations_of(before))))
    for path, text in new.items():
        (after / path).write_text(follow(text, last), encoding="utf-8", newline="\n")
        last = revision_of(text)


def migrations_of(project: Path) -> Iterator[tuple[str, str]]:
    """The migrations of a rendered project: path and text."""
    for file in sorted((project / VERSIONS).glob("*.py")):
        yield f"{VERSIONS}/{file.name}", file.read_text(encoding="utf-8")
