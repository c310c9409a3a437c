"""Where a file names a module beside its imports: `app.log.x`, or a patch of "app.log.x"."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from authkit.update.moves import Renames
from authkit.update.python_source import Source

DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")

NAME_TAKERS: Final = frozenset(
    {"setattr", "delattr", "patch", "dict", "multiple", "import_module", "getLogger"}
)
"""Functions whose first argument names a module or what is in one. Elsewhere, "app.log" may as
well be the name of a file."""


@dataclass
class Uses:
    """What was found beside the rewritten places."""

    needed: set[str] = field(default_factory=set)
    """Modules that `import …` must name for the rewritten paths to exist."""
    look_at: list[str] = field(default_factory=list)


def rewrite_uses(source: Source, renames: Renames) -> Uses:
    """Rewrite paths of attributes and strings; the imports are rewritten elsewhere."""
    uses = Uses()
    bound = dict(bindings(source.tree, renames))
    taken = {
        node.id if isinstance(node, ast.Name) else node.arg
        for node in ast.walk(source.tree)
        if isinstance(node, ast.arg)
        or (isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load))
    }
    for node, (root, *rest) in attribute_paths(source.tree):
        if root not in bound or not rest:
            continue
        old = ".".join([bound[root], *rest])
        new, module = renames.path(old)
        if bound[root] != root:  # bound by an alias, which goes on to name the whole module
            if new != ".".join([renames.module(bound[root]), *rest]):
                uses.look_at.append(f"{root}.{'.'.join(rest)} is {new} now")
        elif new != old and (root in taken or source.segment(node) != old):
            uses.look_at.append(f"{old} is {new} now")
        elif new != old:
            source.replace(node, new)
            uses.needed |= {module} if module else set()
    rewrite_strings(source, renames)
    return uses


def bindings(tree: ast.Module, renames: Renames) -> Iterator[tuple[str, str]]:
    """Names that stand for a package or module, and which."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (root, root)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                if module in renames.modules:
                    yield alias.asname or alias.name, module


def attribute_paths(tree: ast.Module) -> Iterator[tuple[ast.Attribute, list[str]]]:
    """`a.b.c` as a whole, not its beginnings."""
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    inner = {id(node.value) for node in attributes}
    for node in attributes:
        if id(node) in inner:
            continue
        parts, value = [node.attr], node.value
        while isinstance(value, ast.Attribute):
            parts.append(value.attr)
            value = value.value
        if isinstance(value, ast.Name):
            yield node, [value.id, *reversed(parts)]


def rewrite_strings(source: Source, renames: Renames) -> None:
    """The first argument of a patch, written without a prefix, as `"app.log.x"`."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function, first = node.func, node.args[0]
        name = getattr(function, "attr", None) or getattr(function, "id", None)
        if name not in NAME_TAKERS or not isinstance(first, ast.Constant):
            continue
        old, segment = first.value, source.segment(first)
        if isinstance(old, str) and DOTTED.fullmatch(old) and segment[1:-1] == old:
            new, _ = renames.path(old)
            if new != old:
                source.replace(first, segment[0] + new + segment[-1])
