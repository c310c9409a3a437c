"""The rooms of the CLI: who may import whom, how large a file may grow, and what it says first."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "cli" / "authkit"
BENCHMARKS = REPOSITORY / "benchmarks"

LINES_OF_A_FILE = 220
LINES_OF_A_FUNCTION = 30
"""Of its statements: the options of a command and its help stand in signature and docstring."""

PLAIN = {f"authkit.terminal.{name}" for name in ("errors", "safe_text", "screen", "signals")}
"""What every room may use of the terminal: it draws nothing."""

MAY_IMPORT = {
    "tokens": set[str](),
    "project": set[str](),
    "contract": set[str](),
    "clients": {"project"},
    "template": {"project"},
    "new": {"project", "template"},
    "update": {"project", "template", "contract"},
    "parts": {"project", "template", "update"},
    "generate": {"project", "template", "update"},
    "terminal": {"tokens"},
    "commands": {
        *("new", "update", "parts", "generate", "template", "project", "contract", "tokens"),
        *("terminal", "clients"),
    },
}
"""A room and those below it. Whoever stands above is not in the list, so nothing points back."""

DRAWS = {"typer", "rich", "click"}
ONLY_IN_COMMANDS_AND_TERMINAL = ("cli.py", "commands", "terminal")

SCRIPTS = {"new/provision_database.py"}
"""Handed to the project's own Python; no module of authkit imports them."""


def modules(root: Path) -> dict[str, Path]:
    """Every module under `root` by its dotted name."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


CLI = modules(PACKAGE)


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """What a file imports, wherever in it, be it for the types alone; of `known`, whole modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in known else module


def room(module: str) -> str:
    """`new` of `authkit.new.plan`; of what stands above the rooms, its own name."""
    return module.split(".")[1] if "." in module else ""


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_every_room_is_in_the_list() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}

    assert rooms == MAY_IMPORT.keys(), "a new room says in MAY_IMPORT what it may import"


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_a_room_imports_only_those_below_it(name: str) -> None:
    allowed = MAY_IMPORT[name] | {name}

    wrong = [
        f"{module} imports {imported}"
        for module, path in CLI.items()
        if room(module) == name
        for imported in imports(path, CLI)
        if imported.startswith("authkit.")
        and room(imported) not in allowed
        and imported not in PLAIN
    ]

    assert wrong == []


def test_what_every_room_may_use_of_the_terminal_draws_nothing() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module in sorted(PLAIN)
        for imported in imports(CLI[module], CLI)
        if imported.split(".")[0] not in sys.stdlib_module_names and imported not in PLAIN
    ]

    assert wrong == []


def test_only_commands_and_terminal_know_how_anything_is_drawn() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module, path in CLI.items()
        if relative(path).split("/")[0] not in ONLY_IN_COMMANDS_AND_TERMINAL
        for imported in imports(path, CLI)
        if imported.split(".")[0] in DRAWS
    ]

    assert wrong == []


def test_only_one_file_imports_copier() -> None:
    importers = {
        module
        for module, path in CLI.items()
        if any(imported.split(".")[0] == "copier" for imported in imports(path, CLI))
    }

    assert importers == {"authkit.template.copying"}


def test_what_runs_elsewhere_is_imported_nowhere() -> None:
    scripts = {module for module, path in CLI.items() if relative(path) in SCRIPTS}
    assert len(scripts) == len(SCRIPTS)

    assert not scripts & {each for path in CLI.values() for each in imports(path, CLI)}


@pytest.mark.parametrize("root", [PACKAGE, BENCHMARKS], ids=["cli", "benchmarks"])
def test_no_imports_go_in_a_circle(root: Path) -> None:
    known = modules(root)
    graph = {
        module: {imported for imported in imports(path, known) if imported in known} - {module}
        for module, path in known.items()
    }
    assert sum(map(len, graph.values())) > len(graph), "the imports were not read"

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_no_file_is_long() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in CLI.values()}

    assert {name: size for name, size in lengths.items() if size > LINES_OF_A_FILE} == {}


def test_no_function_is_long() -> None:
    lengths = {
        f"{relative(path)}: {node.name}": lines_of(node)
        for path in CLI.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert max(lengths.values()) > 1, "no function was read"

    assert {name: size for name, size in lengths.items() if size > LINES_OF_A_FUNCTION} == {}


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of its statements, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_file_says_first_what_it_is_about() -> None:
    silent = []
    for path in CLI.values():
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = said.partition("\n")[0]
        if len(first.split()) < 3:
            silent.append(relative(path))

    assert silent == []


def test_no_comment_is_a_ruler() -> None:
    ruler = re.compile(r"^\s*#.*([-=~*#_─═])\1{3}", re.MULTILINE)
    assert ruler.search("# ---- drawing ----")

    found = [relative(path) for path in CLI.values() if ruler.search(path.read_text())]

    assert found == [], "a ruler is a file that was not made"
