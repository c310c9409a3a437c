"""Merging hashed requirements by package: line by line, two upgrades always conflict."""

import re
from collections.abc import Mapping
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

LOCKS: Final = frozenset({"requirements.txt", "requirements-dev.txt"})

BLOCK: Final = re.compile(
    r"(?P<pin>[A-Za-z0-9][^#\n\\]*?) \\\n"
    r"(?:    --hash=\w+:\S+ \\\n)*    --hash=\w+:\S+\n"
    r"(?:    # .*\n)*"
)
"""A package as uv writes it: its pin, a line for each hash, and perhaps who wanted it."""

HEAD: Final = re.compile(r"(?:#.*\n|\n)*")


class WrittenOtherwise(Exception):
    """A lock that is not as uv wrote it: what a line of it means is not ours to guess."""


def merge_locks(base: str, owner: str, template: str) -> str:
    """The owner's lock with the template's changes; where both upgraded, the newer version.

    Whether the versions fit together is checked when they are installed.

    Raises:
        WrittenOtherwise: one of them is not what `uv pip compile --generate-hashes` writes.
    """
    _, before = split(base)
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
    return max(pinned(match["pin"])[1] for match in BLOCK.finditer(block))


def split(lock: str) -> tuple[str, Mapping[str, str]]:
    """The comment at the top, and the lines of each package by its name."""
    start = HEAD.match(lock)
    position = start.end() if start else 0
    head, blocks = lock[:position], dict[str, str]()
    while position < len(lock):
        block = BLOCK.match(lock, position)
        if block is None:
            raise WrittenOtherwise
        name, _ = pinned(block["pin"])
        blocks[name] = blocks.get(name, "") + block[0]
        position = block.end()
    return head, blocks


def pinned(pin: str) -> tuple[str, Version]:
    """The name and the one version of `name==1.0 ; marker`."""
    try:
        requirement = Requirement(pin)
        (specifier,) = requirement.specifier
        if specifier.operator != "==" or requirement.url:
            raise WrittenOtherwise
        return requirement.name.lower(), Version(specifier.version)
    except (InvalidRequirement, InvalidVersion, ValueError):
        raise WrittenOtherwise from None
