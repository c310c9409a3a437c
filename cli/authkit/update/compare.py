"""What an update does to each file of the project."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from authkit.update.scratch import Scratch


@dataclass(frozen=True)
class Change:
    """What becomes of one file."""

    kind: str
    """added, changed (nobody else had), merged, renamed, removed, kept, or conflicting"""
    path: str
    note: str = ""


def compare(
    scratch: Scratch,
    relocated: str,
    tree: str,
    template: str,
    conflicts: Mapping[str, object],
    notes: Mapping[str, str],
    origins: Mapping[str, str],
) -> Iterator[Change]:
    """How the project differs from the merge.

    `relocated` are the project's files where the moves have put them, `origins` where they were.
    """
    from_template, now = scratch.files(template), scratch.files(tree)
    notes = {new: f"from {old}" for new, old in origins.items() if new in now} | dict(notes)
    changed = set()
    for change in differences(scratch, relocated, tree):
        kind, path, note = change.kind, change.path, change.note or notes.get(change.path, "")
        changed.add(path)
        if path in conflicts:
            kind = "conflicting"
        elif kind == "removed":
            path = origins.get(path, path)
        elif kind == "renamed":
            note = f"from {origins.get(change.origin, change.origin)}"
            changed.add(change.origin)
        elif path in origins:
            kind = "renamed"
        elif kind == "merged" and now[path] == from_template.get(path):
            kind = "changed"
        yield Change(kind, path, note)
    for path in sorted((conflicts.keys() | notes.keys()) - changed):
        kind = "renamed" if path in origins and path in now else "kept"
        yield Change("conflicting" if path in conflicts else kind, path, notes.get(path, ""))


@dataclass(frozen=True)
class Difference(Change):
    """A change as git finds it."""

    origin: str = ""


def differences(scratch: Scratch, before: str, after: str) -> Iterator[Difference]:
    """How two trees differ, renames recognised."""
    listing = scratch.git("diff-tree", "-r", "-z", "-M", "--name-status", before, after)
    fields = iter(listing.decode(errors="surrogateescape").split("\0")[:-1])
    for status in fields:
        path = next(fields)
        if status.startswith("R"):
            yield Difference("renamed", next(fields), origin=path)
        else:
            yield Difference({"A": "added", "D": "removed"}.get(status, "merged"), path)
