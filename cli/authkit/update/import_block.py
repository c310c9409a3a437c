"""Imports that stand together: written anew where they changed, and sorted if they were."""

import ast
import re
from dataclasses import dataclass
from itertools import pairwise

from authkit.update.import_statement import Import, Member, joined
from authkit.update.python_source import Source


@dataclass(frozen=True)
class Statement:
    """An import as it stands in the file."""

    node: ast.Import | ast.ImportFrom
    new: list[Import] | None
    """What it has to say, None when nothing changes."""

    @property
    def is_relative(self) -> bool:
        return isinstance(self.node, ast.ImportFrom) and self.node.level > 0


@dataclass(frozen=True)
class Comments:
    """The comments inside and beside a statement."""

    whole: str
    members: dict[str, tuple[tuple[str, ...], str]]
    """By member: those above it, and the one beside it."""


@dataclass(frozen=True)
class Unit:
    """A statement of the new block with the comments above it."""

    says: Import
    text: str
    above: str
    changed: bool


def comments_of(source: Source, node: ast.ImportFrom) -> Comments:
    last = node.end_lineno or node.lineno
    at = {line: text for line, (_, text) in source.comments.items() if node.lineno <= line <= last}
    ends = {alias.end_lineno or alias.lineno: alias.name for alias in node.names}
    outer = {node.lineno, last}
    whole = "  ".join(text for line, text in at.items() if line in outer)
    members: dict[str, tuple[tuple[str, ...], str]] = {}
    above: list[str] = []
    for line in range(node.lineno + 1, last):
        if line in ends:
            members[ends[line]] = (tuple(above), at.get(line, ""))
            above = []
        elif line in at:
            above.append(at[line])
    return Comments("  ".join(filter(None, [whole, *above])), members)


def rewrite(source: Source, statements: list[Statement], width: int) -> None:
    """Put the new block into the file, when anything in it changes."""
    if all(statement.new is None for statement in statements):
        return
    for run in without_empty_lines(source, statements):
        if shares_lines(source, run):
            rewrite_in_place(source, run)
        elif any(statement.new is not None for statement in run):
            rewrite_run(source, run, width)


def without_empty_lines(source: Source, statements: list[Statement]) -> list[list[Statement]]:
    """An empty line divides what is sorted together."""
    runs = [[statements[0]]]
    for before, after in pairwise(statements):
        between = range((before.node.end_lineno or 0) + 1, after.node.lineno)
        if all(line in source.comments for line in between):
            runs[-1].append(after)
        else:
            runs.append([after])
    return runs


def shares_lines(source: Source, run: list[Statement]) -> bool:
    """Whether a statement stands beside another, as in `import a; import b`."""
    for statement in run:
        last = statement.node.end_lineno or statement.node.lineno
        before = source.lines[statement.node.lineno - 1][: statement.node.col_offset]
        after = source.lines[last - 1][statement.node.end_col_offset or 0 :].strip()
        if before.strip() or (after and not after.startswith(b"#")):
            return True
    return False


def rewrite_in_place(source: Source, run: list[Statement]) -> None:
    for statement in run:
        if statement.new is not None:
            lines = [line for new in statement.new for line in new.render("", 1 << 20)]
            source.replace(statement.node, "; ".join(line.partition("  #")[0] for line in lines))


def rewrite_run(source: Source, run: list[Statement], width: int) -> None:
    """Sort as ruff would, unless it was not sorted before."""
    keys = [present(source, statement.node).key for statement in run]
    units = [unit for each in with_comments(source, run) for unit in units_of(source, *each, width)]
    if keys == sorted(keys) and not any(statement.is_relative for statement in run):
        units = join(sorted(units, key=lambda unit: unit.says.key), source, run, width)
    text = "".join(unit.above + unit.text for unit in units)
    first, last = run[0].node.lineno, run[-1].node.end_lineno or run[-1].node.lineno
    if not source.block(last, last).endswith(("\n", "\r")):
        text = text.rstrip("\r\n")
    source.replace_block(first, last, text)


def with_comments(source: Source, run: list[Statement]) -> list[tuple[Statement, str]]:
    """Each statement with the lines of comment above it; those above the block stay there."""
    ends = [statement.node.end_lineno or 0 for statement in run]
    firsts = [run[0].node.lineno, *(end + 1 for end in ends[:-1])]
    return [
        (statement, source.block(first, statement.node.lineno - 1))
        for statement, first in zip(run, firsts, strict=True)
    ]


def units_of(source: Source, statement: Statement, above: str, width: int) -> list[Unit]:
    node = statement.node
    last = node.end_lineno or node.lineno
    old = source.block(node.lineno, last)
    if not old.endswith(("\n", "\r")):
        old += source.newline
    if statement.new is None:
        return [Unit(present(source, node), old, above, changed=False)]
    indent = old[: len(old) - len(old.lstrip())]
    texts = [
        "".join(line + source.newline for line in new.render(indent, width))
        for new in statement.new
    ]
    if isinstance(node, ast.ImportFrom) and only_its_module(node, statement.new):
        kept = with_module(node, statement.new[0].module, old)
        if "\n" in kept.rstrip() or len(kept.rstrip()) <= width:
            texts = [kept]
    tops = [above, *[""] * (len(texts) - 1)]
    return [
        Unit(new, text, top, changed=True)
        for new, text, top in zip(statement.new, texts, tops, strict=True)
    ]


def only_its_module(node: ast.ImportFrom, new: list[Import]) -> bool:
    """Whether the members are the same, so that the statement may keep its layout."""
    before = {(alias.name, alias.asname) for alias in node.names}
    return len(new) == 1 and before == {(each.name, each.alias) for each in new[0].members}


def with_module(node: ast.ImportFrom, module: str, text: str) -> str:
    old = "." * node.level + (node.module or "")
    spelled = r"\s*".join(map(re.escape, re.findall(r"\.+|\w+", old)))
    return re.sub(rf"^(\s*from\s*?)[ \t]*{spelled}", rf"\1 {module}", text, count=1)


def join(units: list[Unit], source: Source, run: list[Statement], width: int) -> list[Unit]:
    """One statement for each module, as ruff wants it, where a changed one met another."""
    first = source.block(run[0].node.lineno, run[0].node.lineno)
    indent = first[: len(first) - len(first.lstrip())]
    found: list[Unit] = []
    for unit in units:
        before = found[-1] if found else None
        if before and (before.changed or unit.changed) and before.says.may_join(unit.says):
            says = joined(before.says, unit.says)
            text = "".join(line + source.newline for line in says.render(indent, width))
            found[-1] = Unit(says, text, before.above + unit.above, changed=True)
        else:
            found.append(unit)
    return found


def present(source: Source, node: ast.Import | ast.ImportFrom) -> Import:
    """What the statement says now."""
    if isinstance(node, ast.Import):
        return Import(node.names[0].name, alias=node.names[0].asname)
    comments = comments_of(source, node)
    members = tuple(
        Member(alias.name, alias.asname, *comments.members.get(alias.name, ((), "")))
        for alias in node.names
    )
    return Import("." * node.level + (node.module or ""), members, comment=comments.whole)
