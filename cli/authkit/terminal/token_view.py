"""A judged token on the screen: drawn by rich in a terminal, the same text as lines in a pipe."""

import sys

from authkit.terminal import console
from authkit.tokens.parts import JsonObject
from authkit.tokens.view import (
    COLOURS,
    DIM,
    Line,
    Row,
    View,
    claim_rows,
    header_rows,
    verdict_lines,
)


def show(view: View) -> None:
    """Header, claims, verdict and advice, on stdout."""
    show_header(view.token.header)
    _section("Claims", claim_rows(view))
    verdict = view.report.verdict
    _framed(verdict.value, COLOURS[verdict], verdict_lines(view))
    for warning in (*view.report.warnings, *view.warnings):
        _line([("! ", "bold yellow"), (warning.message, "")], indent=2)


def show_header(header: JsonObject) -> None:
    """The header alone, of what is no whole token."""
    _section("Header", header_rows(header))


def _section(title: str, rows: list[Row]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    if not sys.stdout.isatty():
        _write([(title, "")])
        for name, line in rows or [("", [("(empty)", "")])]:
            _write([(f"  {name.ljust(width)}  ", ""), *line])
        _write([])
        return
    from rich.table import Table
    from rich.text import Text

    out = console.out
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, line in rows or [("", [("(empty)", DIM)])]:
        grid.add_row(Text(f"  {name}", style=DIM), Text.assemble(*line))
    out.print(Text(title, style="bold"))
    out.print(grid)
    out.print()


def _framed(title: str, colour: str, lines: list[Line]) -> None:
    if not sys.stdout.isatty():
        _write([(title, "")])
        for line in lines:
            _write([("  ", ""), *line])
        return
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    # Two columns, so that a long reason goes on under its first word.
    grid = Table.grid(padding=(0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for mark, *rest in lines:
        grid.add_row(Text(*mark), Text.assemble(*rest))
    heading = Text(f" {title} ", style=f"bold {colour}")
    console.out.print(
        Panel(grid, title=heading, title_align="left", border_style=colour, expand=False)
    )


def _line(line: Line, indent: int) -> None:
    if not sys.stdout.isatty():
        _write([(" " * indent, ""), *line])
        return
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(*line[0]), Text.assemble(*line[1:]))
    console.out.print(Padding(grid, (0, 0, 0, indent)))


def _write(line: Line) -> None:
    print("".join(text for text, _ in line).rstrip())
