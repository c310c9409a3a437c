"""Merging hashed requirements by package: line by line, two upgrades always conflict."""

from collections.abc import Mapping
from typing import Final

from packaging.requirements import Requirement
from packaging.version import Version

LOCKS: Final = frozenset({"requirements.txt", "requirements-dev.txt"})


def merge_locks(base: str, owner: str, template: str) -> str:
    """The owner's lock with the template's changes; where both upgraded, the newer version.

    Whether the versions fit together is checked when they are installed.
    """
    head, before = split(base)
    head, mine = split(owner)
    _, theirs = split(template)
    merged = {
        name: block
        for name in sorted(mine.keys() | theirs.keys())
        if (block := choose(before.get(name), mine.get(name), theirs.get(name)))
    }
    return head + "".join(merged.values())


def choose(before: str | None, mine: str | None, theirs: str | None) -> str | None:
    """One package: whoever changed it wins; removed wins over unchanged, newer over older."""
    if mine in {before, theirs}:
        return theirs
    if theirs == before or theirs is None:
        return mine
    if mine is None:
        return theirs
    return max(mine, theirs, key=newest_version)


def newest_version(block: str) -> Version:
    """The highest version that a package's lines pin (a universal lock may pin several)."""
    pins = [line for line in block.splitlines() if line[:1].isalnum()]
    specifiers = [s for pin in pins for s in Requirement(pin.rstrip(" \\")).specifier]
    return max(Version(specifier.version) for specifier in specifiers)


def split(lock: str) -> tuple[str, Mapping[str, str]]:
    """The comment at the top, and the lines of each package by its name."""
    head, blocks, name = "", dict[str, str](), ""
    for line in lock.splitlines(keepends=True):
        if line[:1].isalnum():
            name = Requirement(line.rstrip(" \\\n")).name.lower()
        if name:
            blocks[name] = blocks.get(name, "") + line
        else:
            head += line
    return head, blocks
