"""Keeping an owner's migrations and the template's new ones in one line.

Both were written after the same revision, so after a merge Alembic would see two heads. The
template's new ones move behind the owner's: a database that has the owner's migrations already
then gets the new ones, which it would not if the owner's moved.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

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


def in_one_line(
    files: Mapping[str, str], new: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The files to rewrite, and a note on each, so that there is one head again.

    `new` are the paths that the template added. Where no safe order exists (the owner's own
    migrations have several heads), nothing is rewritten and the note says how to join them.
    """
    migrations = [m for path, text in files.items() if (m := read(path, text))]
    followed = {name for migration in migrations for name in migration.follows}
    heads = [m for m in migrations if m.revision not in followed]
    if len(heads) < 2:
        return {}, {}
    owner_heads = [m for m in heads if m.path not in new]
    added = {m.revision for m in migrations if m.path in new}
    first = [m for m in migrations if m.path in new and not added.intersection(m.follows)]
    if len(owner_heads) != 1 or len(first) != 1:
        note = 'several heads; join them: .venv/bin/python -m alembic merge heads -m "Join"'
        return {}, {head.path: note for head in heads}
    head = owner_heads[0]
    path = first[0].path
    return {path: follow(files[path], head.revision)}, {path: f"follows your {head.revision}"}


def read(path: str, text: str) -> Migration | None:
    revision, follows = REVISION.search(text), DOWN_REVISION.search(text)
    if revision is None or follows is None:
        return None
    return Migration(path, revision[1], tuple(NAME.findall(follows[2])))


def follow(text: str, revision: str) -> str:
    """The migration's text, following `revision`."""
    text = REVISES.sub(lambda match: match[1].rstrip() + f" {revision}", text, count=1)
    return DOWN_REVISION.sub(lambda match: f'{match[1]}"{revision}"', text, count=1)
