"""Keeping an owner's migrations and the template's new ones in one line.

Both were written after the same revision, so after a merge Alembic would see two heads. The
template's new ones move behind the owner's: a database that has the owner's migrations already
then gets the new ones, which it would not if the owner's moved.
"""

from collections.abc import Collection, Mapping
from typing import Final

from authkit.project.migration_files import follow, found, heads
from authkit.project.system import in_environment

JOIN: Final = 'python -m alembic merge heads -m "Join"'


def in_one_line(
    files: Mapping[str, str], new: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The files to rewrite, and a note on each, so that there is one head again.

    `new` are the paths that the template added. Where no safe order exists (the owner's own
    migrations have several heads), nothing is rewritten and the note says how to join them.
    """
    migrations = found(files.items())
    ends = heads(migrations)
    if len(ends) < 2:
        return {}, {}
    owner_heads = [m for m in ends if m.path not in new]
    added = {m.revision for m in migrations if m.path in new}
    first = [m for m in migrations if m.path in new and not added.intersection(m.follows)]
    if len(owner_heads) != 1 or len(first) != 1:
        note = f"several heads; join them: {in_environment(JOIN)}"
        return {}, {head.path: note for head in ends}
    head = owner_heads[0]
    path = first[0].path
    return {path: follow(files[path], head.revision)}, {path: f"follows your {head.revision}"}
