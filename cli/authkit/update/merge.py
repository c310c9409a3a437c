"""The three-way merge of an update: the owner's project, the template then, the template now.

It is git's own merge (merge-ort), of commits made for the purpose in a scratch repository that
borrows the project's objects. So renames are followed, each conflict is found, and the project
is not touched before the whole result is known. Both versions are rendered by copier; its own
update is not used, since it patches the working tree step by step and follows no renames.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from authkit.project.project import MARKER
from authkit.template.bundle import pristine_environ
from authkit.terminal.errors import AuthkitError
from authkit.update.brought import brought
from authkit.update.compare import Change, compare
from authkit.update.locks import LOCKS, WrittenOtherwise, merge_locks
from authkit.update.migration_line import in_one_line
from authkit.update.moves import Moves
from authkit.update.replay import Replayed, replay
from authkit.update.scratch import Scratch

BASE, OWNER, TEMPLATE = "1", "2", "3"
"""The stages of an index entry that is in conflict (git-read-tree(1))."""

DELETED: Final = frozenset({"CONFLICT (modify/delete)", "CONFLICT (rename/delete)"})
"""What git calls a file that one side deleted and the other changed or moved."""

Conflicts = dict[str, dict[str, tuple[str, str]]]
"""For each path in conflict: stage to mode and object."""


@dataclass
class Merge:
    """The result: a tree in the scratch repository, and how it came about."""

    scratch: Scratch
    head: str
    """The commit that was merged into; nothing else may be updated with the result."""
    tree: str
    """The project's, whatever else its repository holds."""
    changes: list[Change]
    arriving: frozenset[str]
    """Paths that the project did not have."""
    moved: Replayed
    """What was only at another place, and what of it the owner has to see."""
    conflicts: Conflicts = field(default_factory=dict)

    @property
    def conflicting(self) -> list[str]:
        return sorted(self.conflicts)


def merge(
    scratch: Scratch,
    head: str,
    then: Path,
    now: Path,
    moves: Sequence[Moves] = (),
    *,
    between: Sequence[str] = (),
    keep_edited: bool = True,
) -> Merge:
    """Bring what changed in the template from `then` to `now` into the project's `head`.

    Of what only moved in between, both sides are merged as if they had always had it there. A file
    that the template no longer has and the owner edited is kept, or is a conflict.

    Args:
        between: the versions after `then` and before `now`.
    """
    base, template = scratch.add_directory(then), scratch.add_directory(now)
    mine = scratch.project_tree(head)
    # The answers are the template's own notes: no edit of theirs may ever conflict.
    owner = scratch.with_files(mine, {MARKER: scratch.files(base)[MARKER]})
    moved = replay(scratch, moves, base, owner)
    base, owner = moved.base, moved.owner
    base = scratch.with_files(base, brought(scratch, between, base, owner, template))
    base_commit = scratch.commit(base)
    sides = {
        "yours": scratch.commit(owner, base_commit),
        scratch.template: scratch.commit(template, base_commit),
    }
    for name, commit in sides.items():
        scratch.git("update-ref", f"refs/heads/{name}", commit)
    tree, conflicts, causes = merge_tree(scratch)
    tree, notes = settle(scratch, tree, conflicts, causes, keep_edited=keep_edited)
    tree, reordered = put_migrations_in_one_line(scratch, tree, base, template)
    notes |= reordered | without_markers(scratch, tree, conflicts)
    changes = list(
        compare(scratch, moved.relocated, tree, template, conflicts, notes, moved.origins)
    )
    arriving = frozenset(scratch.files(tree).keys() - scratch.files(mine).keys())
    return Merge(scratch, head, tree, changes, arriving, moved, conflicts)


def merge_tree(scratch: Scratch) -> tuple[str, Conflicts, dict[str, set[str]]]:
    """Git's merge of both sides: the tree, the stages of each path in conflict, and the causes."""
    command = [
        *("git", "-c", "merge.directoryRenames=true", "-c", "merge.conflictStyle=merge"),
        *("merge-tree", "--write-tree", "-z", "--messages", "yours", scratch.template),
    ]
    environ = pristine_environ()
    result = subprocess.run(
        command, cwd=scratch.directory, env=environ, capture_output=True, check=False
    )
    if result.returncode not in {0, 1}:
        raise AuthkitError(f"git can't merge: {result.stderr.decode(errors='replace').strip()}")
    fields = iter(result.stdout.decode(errors="surrogateescape").split("\0"))
    tree = next(fields)
    conflicts: Conflicts = {}
    for entry in iter(partial(next, fields, ""), ""):
        meta, path = entry.split("\t", 1)
        mode, blob, stage = meta.split()
        conflicts.setdefault(path, {})[stage] = (mode, blob)
    return tree, conflicts, causes_of(fields)


def causes_of(messages: Iterator[str]) -> dict[str, set[str]]:
    """The kinds of conflict of each path, from the messages of `git merge-tree -z`."""
    causes: dict[str, set[str]] = {}
    for count in filter(None, messages):
        paths = list(islice(messages, int(count)))
        kind, _ = next(messages), next(messages)
        for path in paths:
            if kind.startswith("CONFLICT"):
                causes.setdefault(path, set()).add(kind)
    return causes


def settle(
    scratch: Scratch,
    tree: str,
    conflicts: Conflicts,
    causes: Mapping[str, set[str]],
    *,
    keep_edited: bool,
) -> tuple[str, dict[str, str]]:
    """Decide what needs no person: deletions, and locks, which merge by package."""
    decided: dict[str, tuple[str, str] | None] = {}
    notes = {}
    for path, stages in list(conflicts.items()):
        deleted = set() < causes.get(path, set()) <= DELETED
        if stages.keys() == {BASE, TEMPLATE} and deleted:
            decided[path] = None
            notes[path] = "you deleted it; it stays deleted, although the template changed it"
        elif stages.keys() == {BASE, OWNER} and deleted and keep_edited:
            decided[path] = stages[OWNER]
            notes[path] = "no longer in the template; kept, because you changed it"
        elif Path(path).name in LOCKS and stages.keys() == {BASE, OWNER, TEMPLATE}:
            texts = [scratch.read(stages[stage][1]) for stage in (BASE, OWNER, TEMPLATE)]
            try:
                decided[path] = (stages[OWNER][0], scratch.write(merge_locks(*texts)))
            except WrittenOtherwise:
                continue  # a conflict like any other
        else:
            continue
        del conflicts[path]
    return scratch.with_files(tree, decided), notes


def without_markers(scratch: Scratch, tree: str, conflicts: Conflicts) -> dict[str, str]:
    """Where the other side is, of conflicts that can't show both in one file."""
    files, notes = scratch.files(tree), {}
    for path, stages in conflicts.items():
        if stages.keys() == {BASE, OWNER}:
            notes[path] = f"you changed it: let it go with git rm -- {path}, or git add it"
        elif not stages.keys() >= {OWNER, TEMPLATE}:
            notes[path] = "moved, or of another kind, on one side: both are there, pick one"
        elif path in files and "<<<<<<< " not in scratch.read(files[path][1]):
            notes[path] = f"yours is in place; the template's: git checkout --theirs -- {path}"
    return notes


def put_migrations_in_one_line(
    scratch: Scratch, tree: str, base: str, template: str
) -> tuple[str, dict[str, str]]:
    """Let the template's new migrations follow the owner's."""
    found = scratch.files(tree, "migrations/versions/")
    files = {path: entry for path, entry in found.items() if path.endswith(".py")}
    new = scratch.files(template).keys() - scratch.files(base).keys()
    edits, notes = in_one_line({path: scratch.read(blob) for path, (_, blob) in files.items()}, new)
    written = {path: (files[path][0], scratch.write(text)) for path, text in edits.items()}
    return scratch.with_files(tree, written), notes
