"""What a migration's file says of its place in the line, and how to write it another one."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

VERSIONS: Final = "migrations/versions"
"""Where a project has its migrations."""

REVISION: Final = re.compile(r"^revision\b[^=\n]*=\s*[\"']([^\"'\n]+)[\"']", re.MULTILINE)
DOWN_REVISION: Final = re.compile(r"^(down_revision\b[^=\n]*=\s*)(\([^)]*\)|.+)$", re.MULTILINE)
REVISES: Final = re.compile(r"^(Revises:[ \t]*)(\S*)[ \t]*$", re.MULTILINE)
NAME: Final = re.compile(r"[\"']([^\"']+)[\"']")


@dataclass(frozen=True)
class Migration:
    """What a migration's file says of its place."""

    path: str
    revision: str
    follows: tuple[str, ...]


def read(path: str, text: str) -> Migration | None:
    revision, follows = REVISION.search(text), DOWN_REVISION.search(text)
    if revision is None or follows is None:
        return None
    return Migration(path, revision[1], tuple(NAME.findall(follows[2])))


def follow(text: str, revision: str) -> str:
    """The migration's text, following `revision`."""
    text = REVISES.sub(lambda match: match[1].rstrip() + f" {revision}", text, count=1)
    return DOWN_REVISION.sub(lambda match: f'{match[1]}"{revision}"', text, count=1)


def heads(migrations: Collection[Migration]) -> list[Migration]:
    """Those that no other follows: one, unless somebody has to join them."""
    followed = {name for migration in migrations for name in migration.follows}
    return [migration for migration in migrations if migration.revision not in followed]


def found(files: Iterable[tuple[str, str]]) -> list[Migration]:
    """The migrations among files by path and text."""
    return [migration for path, text in files if (migration := read(path, text))]
