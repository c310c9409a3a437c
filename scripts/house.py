"""Count the house: `python scripts/house.py [DIRECTORY]`, by default `template/app`.

Of the template it counts the base, without parts. How many entries stand on top, how many lines of
code there are, and which file and which function are the longest. A line of code is neither blank
nor a comment nor part of a docstring; a function's length is that of its body without its
docstring. `tests/test_house.py` keeps the bounds.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

APP = Path(__file__).parents[1] / "template" / "app"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def entries(app: Path) -> list[str]:
    """What stands on top, beside `__init__.py`."""
    return sorted(path.name for path in app.iterdir() if not path.name.startswith((".", "__")))


def of_parts() -> list[Path]:
    """What of the template belongs to a part: the lines of copier.yml that leave it out."""
    text = (APP.parents[1] / "copier.yml").read_text(encoding="utf-8")
    found = re.findall(r"not in parts %\}(.+?)\{% endif", text)
    return [APP.parent / name for name in found]


def without_parts(paths: Iterable[Path]) -> list[Path]:
    parts = of_parts()
    return [path for path in paths if not any(path.is_relative_to(part) for part in parts)]


def python_files(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.py"))


def length(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def lines_of_code(file: Path) -> int:
    """Lines that hold a token, without those of comments and of texts that stand alone."""
    text = file.read_text(encoding="utf-8")
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in ignored and token.string:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(lines)


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Name and length of each function."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield node.name, (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def rulers(file: Path) -> list[str]:
    """Comments that divide a file: each is a file that was not made."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.lstrip().startswith(("# ---", "# ===", "# ***"))]


def main() -> None:
    app = Path(sys.argv[1]) if sys.argv[1:] else APP
    files = without_parts(python_files(app))
    longest = max(files, key=length)
    size, name, file = max((n, name, file) for file in files for name, n in functions(file))
    print(f"entries           {len(without_parts(app / name for name in entries(app)))}")
    print(f"files             {len(files)}")
    print(f"lines of code     {sum(map(lines_of_code, files))}")
    print(f"longest file      {length(longest)}  {longest.relative_to(app)}")
    print(f"longest function  {size}  {name} in {file.relative_to(app)}")
    print(f"comment rulers    {sum(len(rulers(file)) for file in files)}")


if __name__ == "__main__":
    main()
