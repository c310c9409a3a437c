"""One side of the merge while moves are made on it; written as a tree at the end."""

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
        self.origins: dict[str, str] = {}
        """New path to the first one."""
        self.rewritten: set[str] = set()
        self.look_at: dict[str, list[str]] = {}

    def python(self) -> list[str]:
        return [
            path
            for path, (mode, _) in self.entries.items()
            if path.endswith(".py") and mode in FILE_MODES
        ]

    def text(self, path: str) -> str | None:
        entry = self.entries.get(path)
        return self.scratch.read(entry[1]) if entry and entry[0] in FILE_MODES else None

    def put(self, path: str, text: str) -> None:
        mode = self.entries[path][0] if path in self.entries else FILE_MODES[0]
        self.entries[path] = (mode, self.scratch.write(text))

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
        if old in self.rewritten:
            self.rewritten.remove(old)
            self.rewritten.add(new)
        if old in self.look_at:
            self.look_at[new] = self.look_at.pop(old)

    def write(self) -> str:
        """The tree as it is now."""
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
