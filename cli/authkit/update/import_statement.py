"""One import statement: what it says, how it is written, and where ruff sorts it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

DIGITS: Final = re.compile(r"(\d+)")

Natural = tuple[tuple[int, int, str], ...]


@dataclass(frozen=True)
class Member:
    """One imported name, with the comments that stand at it."""

    name: str
    alias: str | None = None
    above: tuple[str, ...] = ()
    beside: str = ""

    @property
    def said(self) -> str:
        return f"{self.name} as {self.alias}" if self.alias else self.name

    @property
    def key(self) -> tuple[int, Natural, str]:
        """Constants, then classes, then the rest, as isort orders them."""
        constant = len(self.name) > 1 and self.name.isupper()
        kind = 0 if constant else 1 if self.name[:1].isupper() else 2
        return kind, natural(self.name), self.name


@dataclass(frozen=True)
class Import:
    """`from module import members`, or `import module` without any."""

    module: str
    members: tuple[Member, ...] = ()
    alias: str | None = None
    comment: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """`import x` before `from x import y`, then by module, then by the first member."""
        first = self.members[0].key if self.members else (0, (), "")
        return bool(self.members), natural(self.module), self.module, first

    def may_join(self, other: "Import") -> bool:
        """Whether both belong into one statement; `as` and `*` stand on lines of their own."""
        members = self.members + other.members
        alone = any(member.alias or member.name == "*" for member in members)
        return bool(self.members and other.members) and self.module == other.module and not alone

    def render(self, indent: str, width: int) -> list[str]:
        """The lines, without their ends."""
        beside = f"  {self.comment}" if self.comment else ""
        if not self.members:
            alias = f" as {self.alias}" if self.alias else ""
            return [f"{indent}import {self.module}{alias}{beside}"]
        start = f"{indent}from {self.module} import "
        line = start + ", ".join(member.said for member in self.members)
        commented = any(member.above or member.beside for member in self.members)
        if self.members[0].name == "*" or (len(line) <= width and not commented):
            return [line + beside]
        lines = [f"{start}({beside}"]
        for member in self.members:
            lines += [f"{indent}    {comment}" for comment in member.above]
            after = f"  {member.beside}" if member.beside else ""
            lines.append(f"{indent}    {member.said},{after}")
        return [*lines, f"{indent})"]


def grouped(imports: Iterable[tuple[str, Member]]) -> list[tuple[str, tuple[Member, ...]]]:
    """The members of each module together; those with an alias on their own."""
    ordered = sorted(imports, key=lambda pair: (natural(pair[0]), pair[0]))
    found = []
    for module, pairs in groupby(ordered, key=lambda pair: pair[0]):
        members = [member for _, member in pairs]
        together = tuple(member for member in members if member.alias is None)
        if together:
            found.append((module, together))
        found += [(module, (member,)) for member in members if member.alias is not None]
    return found


def joined(first: Import, second: Import) -> Import:
    """One statement of two, its members in order, none of them twice."""
    members = {member.name: member for member in (*second.members, *first.members)}
    comment = "  ".join(dict.fromkeys(filter(None, (first.comment, second.comment))))
    ordered: Sequence[Member] = sorted(members.values(), key=lambda member: member.key)
    return replace(first, members=tuple(ordered), comment=comment)


def natural(text: str) -> Natural:
    """A key in which letter case does not count and numbers count as such."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in DIGITS.split(text.lower())
        if part
    )
