"""A Python file after a move: its imports say where things are now, all else stays as it is."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from authkit.update import import_block
from authkit.update.import_block import Statement
from authkit.update.import_statement import Import, Member, grouped
from authkit.update.moves import Renames, dotted
from authkit.update.python_source import Source, Unreadable
from authkit.update.rewrite_uses import rewrite_uses


@dataclass
class Rewritten:
    """The new text, and what a person has to look at."""

    text: str
    is_changed: bool = False
    look_at: list[str] = field(default_factory=list)


def rewrite(text: str, path: str, renames: Renames, width: int) -> Rewritten:
    """The file with the new names; `width` is the longest line that its owner's linter takes."""
    if not renames.may_concern(text):
        return Rewritten(text)
    source = Source(text)
    try:
        source.tree  # noqa: B018 - whether it can be read is known after the first access
    except Unreadable:
        named = sorted(old for old in renames.modules if re.search(rf"\b{re.escape(old)}\b", text))
        hint = f"{path} is not read by this Python; it names {', '.join(named)}"
        return Rewritten(text, look_at=[hint] if named else [])
    uses = rewrite_uses(source, renames)
    look_at = [f"{path}: {hint}" for hint in [*uses.look_at, *gone(source, renames)]]
    package = dotted(path).split(".")[: None if path.endswith("/__init__.py") else -1]
    uses.needed -= {
        renames.module(alias.name)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.asname is None
    }
    for run in import_runs(source.tree):
        statements = [
            Statement(node, moved(source, node, renames, package, uses.needed)) for node in run
        ]
        import_block.rewrite(source, statements, width)
    return Rewritten(source.edited(), bool(source.edits), look_at)


def import_runs(tree: ast.Module) -> Iterator[list[ast.Import | ast.ImportFrom]]:
    """Imports that follow each other, wherever in the file."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            run: list[ast.Import | ast.ImportFrom] = []
            for statement in body if isinstance(body, list) else []:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    run.append(statement)
                elif run:
                    yield run
                    run = []
            if run:
                yield run


def moved(
    source: Source,
    node: ast.Import | ast.ImportFrom,
    renames: Renames,
    package: list[str],
    needed: set[str],
) -> list[Import] | None:
    """What the statement has to say now; None when that is what it says."""
    if isinstance(node, ast.Import):
        return moved_modules(node, renames, needed)
    module = node.module or ""
    if node.level:
        module = ".".join(filter(None, [*package[: len(package) - node.level + 1], module]))
    new = [(alias, *renames.member(module, alias.name)) for alias in node.names]
    if all((into, name) == (module, alias.name) for alias, into, name in new):
        return None
    comments = import_block.comments_of(source, node)
    pairs = [
        (into, Member(name, alias.asname or (alias.name if name != alias.name else None), *at))
        for alias, into, name in new
        for at in [comments.members.get(alias.name, ((), ""))]
    ]
    return [Import(into, members, comment=comments.whole) for into, members in grouped(pairs)]


def moved_modules(node: ast.Import, renames: Renames, needed: set[str]) -> list[Import] | None:
    """`import a.b`: what is below it is looked for where it is used."""
    new = [Import(renames.module(alias.name), alias=alias.asname) for alias in node.names]
    old = [Import(alias.name, alias=alias.asname) for alias in node.names]
    if new == old:
        return None
    extra = sorted(needed)
    needed.clear()
    return [*new, *map(Import, extra)]


def gone(source: Source, renames: Renames) -> Iterator[str]:
    """What the file imports although it is no longer there."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                if hint := renames.gone.get(f"{node.module}.{alias.name}"):
                    yield f"{node.module}.{alias.name} is gone; {hint}"
