"""One side of the merge while moves are made on it; written as a tree at the end."""

from collections.abc import Iterable

from authkit.update.rewrite_imports import Rewritten
from authkit.update.scratch import Scratch

FILE_MODES = ("100644", "100755")


class Side:
    """The files of a tree, to be renamed and edited."""

    def __init__(self, scratch: Scratch, tree: str) -> None:
        self.scratch = scratch
        self.tree = tree
        self.before = scratch.files(tree)
        self.entries = dict(self.before)
        """Path to mode and object; a file that was edited has none yet."""
        self.edited: dict[str, str] = {}
        self.origins: dict[str, str] = {}
        """New path to the first one."""
        self.rewritten: set[str] = set()
        self.look_at: dict[str, list[str]] = {}

    def is_file(self, path: str) -> bool:
        return path in self.entries and self.entries[path][0] in FILE_MODES

    def texts(self, paths: Iterable[str]) -> dict[str, str]:
        """The contents of those paths that are files."""
        found = [path for path in paths if self.is_file(path)]
        blobs = {path: self.entries[path][1] for path in found if path not in self.edited}
        read = self.scratch.read_all(blobs.values())
        return {path: read[blobs[path]] if path in blobs else self.edited[path] for path in found}

    def text(self, path: str) -> str | None:
        return self.texts([path]).get(path)

    def put(self, path: str, text: str) -> None:
        mode = self.entries[path][0] if path in self.entries else FILE_MODES[0]
        self.entries[path] = (mode, "")
        self.edited[path] = text

    def rewrite(self, path: str, result: Rewritten) -> None:
        """Take over new imports, and what was found that a person has to see."""
        if result.is_changed:
            self.put(path, result.text)
            self.rewritten.add(path)
        if result.look_at:
            self.look_at.setdefault(path, []).extend(result.look_at)

    def rename(self, old: str, new: str) -> None:
        if old not in self.entries:
            return
        self.entries[new] = self.entries.pop(old)
        self.origins[new] = self.origins.pop(old, old)
        if old in self.edited:
            self.edited[new] = self.edited.pop(old)
        if old in self.rewritten:
            self.rewritten.remove(old)
            self.rewritten.add(new)
        if old in self.look_at:
            self.look_at[new] = self.look_at.pop(old)

    def differs(self, other: "Side") -> set[str]:
        """The paths of which the other side has nothing, or something else."""
        return {
            path
            for path, entry in self.entries.items()
            if (entry, self.edited.get(path)) != (other.entries.get(path), other.edited.get(path))
        }

    def write(self) -> str:
        """The tree as it is now."""
        blobs = self.scratch.write_all(self.edited.values())
        for path, blob in zip(self.edited, blobs, strict=True):
            self.entries[path] = (self.entries[path][0], blob)
        return self.with_changes(
            {path: entry for path, entry in self.entries.items() if self.before.get(path) != entry}
        )

    def relocated(self) -> str:
        """The tree with the renames alone."""
        moved = {new: self.before[old] for new, old in self.origins.items() if old in self.before}
        return self.with_changes(moved)

    def with_changes(self, changes: dict[str, tuple[str, str]]) -> str:
        # What goes comes first: a file may have given its place to a directory.
        removed = dict.fromkeys(self.before.keys() - self.entries.keys())
        return self.scratch.with_files(self.tree, removed | changes)
