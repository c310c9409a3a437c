"""The moves between two versions, made on the old template and on the owner's project alike.

The merge then sees both where the new template has its files. So it finds a conflict only where
the owner edited what the template changed, not where something only went elsewhere.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from authkit.update.moves import Moves
from authkit.update.rewrite_imports import Rewritten, rewrite
from authkit.update.scratch import Scratch
from authkit.update.sections import append, cut
from authkit.update.settled import settle
from authkit.update.side import Side

RUFF_S_WIDTH: Final = 88
"""Where pyproject.toml does not say how long a line may be."""


@dataclass
class Replayed:
    """Both trees after the moves, and what of it concerns the owner."""

    base: str
    owner: str
    relocated: str
    """The owner's files under their new names, with nothing else changed."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """New path to old, of the files that the owner has."""
    imports_rewritten: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    look_at: list[str] = field(default_factory=list)


def replay(scratch: Scratch, moves: Iterable[Moves], base_tree: str, owner_tree: str) -> Replayed:
    """Make every version's moves, one after the other, on both sides."""
    base, owner = Side(scratch, base_tree), Side(scratch, owner_tree)
    result = Replayed(base_tree, owner_tree, owner_tree)
    rewriting = partial(rewrite, width=line_length(owner.text("pyproject.toml") or ""))
    for step in moves:
        result.settled += settle_lines(step, base, owner)
        result.sections += move_sections(step, base, owner)
        known: dict[tuple[str, str], Rewritten] = {}
        for side in (base, owner):
            for path, text in side.texts(p for p in side.entries if p.endswith(".py")).items():
                if (path, text) not in known:
                    known[path, text] = rewriting(text, path, step.renames)
                side.rewrite(path, known[path, text])
        for old, new in renames(step.files, base, owner):
            base.rename(old, new)
            owner.rename(old, new)
    theirs = owner.differs(base)
    result.imports_rewritten = sorted(owner.rewritten & theirs)
    result.look_at = [hint for path in sorted(theirs) for hint in owner.look_at.get(path, [])]
    result.base, result.owner = base.write(), owner.write()
    result.origins = owner.origins
    result.relocated = owner.relocated()
    return result


def settle_lines(step: Moves, base: Side, owner: Side) -> Iterator[str]:
    """Take back the edits that are unneeded now; the names of the files in which that was done."""
    for each in step.settled:
        before, mine = base.text(each.file), owner.text(each.file)
        if before is None or mine is None:
            continue
        text = settle(each, before, mine, owner.entries)
        if text != mine:
            owner.put(each.file, text)
            yield each.file


def move_sections(step: Moves, base: Side, owner: Side) -> Iterator[str]:
    """Move each section; an owner who does not have it gets the template's, with its page."""
    taken = {path for path in owner.entries if path not in base.entries}
    for old, new in step.sections.items():
        (page, title), (to, new_title) = old.split("#"), new.split("#")
        found = cut(base.text(page) or "", title)
        if found is None or to in taken:  # the owner's own page of that name
            continue
        theirs = cut(owner.text(page) or "", title)
        base.put(page, found[0])
        base.put(to, append(base.text(to), found[1], new_title))
        owner.put(to, append(owner.text(to), (theirs or found)[1], new_title))
        if theirs:
            owner.put(page, theirs[0])
        if theirs and theirs[1] != found[1]:
            yield f"{old} → {new}"


def renames(files: Mapping[str, str], base: Side, owner: Side) -> Iterator[tuple[str, str]]:
    """Each file that moves, unless the owner has one of their own at the new place."""
    paths = sorted(base.entries.keys() | owner.entries.keys())
    for old, new in files.items():
        inside = [path for path in paths if old.endswith("/") and path.startswith(old)]
        for path in [old] if old in base.entries else inside:
            target = new + path.removeprefix(old)
            if target not in owner.entries and target not in base.entries:
                yield path, target


def line_length(pyproject: str) -> int:
    try:
        width = tomllib.loads(pyproject)["tool"]["ruff"]["line-length"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return RUFF_S_WIDTH
    return width if isinstance(width, int) else RUFF_S_WIDTH
