"""Results on stdout: tables and records, aligned for a person, tab-separated for a program."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from authkit.terminal import console
from authkit.terminal.safe_text import safe

if TYPE_CHECKING:
    from rich.text import Text

# The last column of a table is broken into lines of no less than this.
LAST_COLUMN = 24

# Colour says one thing only: good, worth a look, bad.
MEANING = {
    "active": "green",
    "yes": "green",
    "ok": "green",
    "signing": "green",
    "admin": "yellow",
    "warning": "yellow",
    "inactive": "red",
    "no": "red",
    "error": "red",
}


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows for a person as a table, for a program as tab-separated values without a heading."""
    out = console.out
    cells = [[safe(cell) for cell in row] for row in rows]
    if not out.is_terminal:
        for row in cells:
            sys.stdout.write("\t".join(row) + "\n")
    elif not cells:
        out.print("none", style="dim")
    elif fits(columns, cells, out.width):
        _grid(columns, cells)
    else:
        for row in cells:
            record(dict(zip(columns, row, strict=True)))
            out.print()


def changes(columns: Sequence[str], rows: Sequence[tuple[str, str, str]]) -> None:
    """What becomes of which file, and a note: hundreds of them, so no record of each."""
    out = console.out
    cells = [tuple(map(safe, row)) for row in rows]
    if not out.is_terminal or not cells or fits(columns, cells, out.width):
        table(columns, rows)
        return
    for change, file, note in cells:
        out.print(f"{change} {file}", markup=False, soft_wrap=True)
        if note:
            out.print(f"    {note}", style="dim", markup=False, soft_wrap=True)


def fits(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> bool:
    """Whether nothing but the last column has to give way; ids and addresses are copied whole."""
    longest = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    gaps = 3 * (len(longest) - 1)
    return sum(longest[:-1]) + min(longest[-1], LAST_COLUMN) + gaps <= width


def _grid(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold cyan")
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column != columns[-1])
    for row in cells:
        grid.add_row(*(_coloured(cell) for cell in row))
    console.out.print(grid)


def record(fields: Mapping[str, object]) -> None:
    """One thing and its properties: aligned for a person, tab-separated for a program."""
    from rich.text import Text

    out = console.out
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        if not out.is_terminal:
            sys.stdout.write(f"{name}\t{safe(value)}\n")
            continue
        text, indent = safe(value), width + 2
        if max(map(len, text.split()), default=0) > out.width - indent:  # whole, to be copied
            out.print(Text(name, style="dim"))
            out.print(Text.assemble("  ", _coloured(text)), soft_wrap=True)
            continue
        lines = _coloured(text).wrap(out, max(out.width - indent, 1))
        beside = Text(f"\n{' ' * indent}").join(lines)
        out.print(Text.assemble((name.ljust(width), "dim"), "  ", beside))


def moment(timestamp: str) -> str:
    """A time as a person wants it, to the minute; a program gets it as it came."""
    if not sys.stdout.isatty():
        return timestamp
    return timestamp[:16].replace("T", " ") + (" UTC" if timestamp.endswith("Z") else "")


def heading(text: str) -> None:
    """The title of what follows, for a person; a program reads the data alone."""
    out = console.out
    if out.is_terminal:
        out.print(f"\n{text}", style="bold", markup=False)


def _coloured(cell: str) -> "Text":
    from rich.text import Text

    return Text(cell, style=MEANING.get(cell, ""))
