"""All output: results on stdout, messages on stderr, JSON, tables, timed steps, questions.

In a terminal the output is for a person (colour, tables, spinners); in a pipe it is for a program:
no ANSI sequence, no wrapped line, no question. Rich is imported on the first use of `out` or `err`,
so that a command that prints nothing through it starts without it.
"""

import json
import os
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    out: Console
    err: Console

# Wide enough that rich never wraps a line that a program will read.
PIPE_WIDTH = 100_000
# The last column of a table is broken into lines of no less than this.
LAST_COLUMN = 24


def __getattr__(name: str) -> "Console":
    """Make `out` and `err` when they are asked for (PEP 562), on the streams of that moment."""
    if name == "out":
        return _console(sys.stdout)
    if name == "err":
        return _console(sys.stderr)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _console(stream: IO[str]) -> "Console":
    from rich.console import Console

    tty = stream.isatty()
    return Console(
        file=stream,
        force_terminal=tty,
        # NO_COLOR leaves rich's bold and dim, which are escape sequences too; None leaves nothing.
        color_system=None if os.environ.get("NO_COLOR") or not tty else "auto",
        width=None if tty else PIPE_WIDTH,
        highlight=False,
        emoji=False,
    )


def is_interactive() -> bool:
    """Whether somebody is there to read a question and to answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def safe(value: object) -> str:
    """Text of unknown origin, unable to steer a terminal or to break out of its line.

    A user agent or a name is chosen by a stranger; printed raw, its escape sequences would be
    executed by the operator's terminal (CWE-150). Control, format and line-separator characters
    are shown as escapes instead.
    """
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else char
        for char in text
    )


def print_json(data: object) -> None:
    """Data for a program: JSON alone on stdout.

    A person may see it too: what could steer a terminal is written as JSON's own escapes.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False)
    sys.stdout.write("".join(map(_json_character, text)) + "\n")


def _json_character(char: str) -> str:
    return char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1]


def message(text: str, *, style: str = "") -> None:
    """A line for the person at the keyboard, on stderr; never part of the result."""
    _console(sys.stderr).print(text, style=style or None, markup=False, soft_wrap=True)


def success(text: str) -> None:
    """What has been done, in the past tense."""
    _marked("✓", "green", text)


def warning(text: str) -> None:
    """Something that the reader should know before going on."""
    _marked("!", "yellow", text)


def _marked(mark: str, colour: str, text: str) -> None:
    from rich.text import Text

    line = Text.assemble((mark, f"bold {colour}"), " ", text)
    _console(sys.stderr).print(line, soft_wrap=True)


def error(text: str, hint: str = "") -> None:
    """The one form in which every failure is reported."""
    from rich.text import Text

    err = _console(sys.stderr)
    err.print(Text.assemble(("error:", "bold red"), " ", text), soft_wrap=True)
    if hint:
        err.print(Text.assemble(("hint:", "bold cyan"), " ", hint), soft_wrap=True)


def finding(severity: str, text: str, fix: str) -> None:
    """Something to mend and how: two lines for a person, tab-separated for a program."""
    out = _console(sys.stdout)
    if not out.is_terminal:
        sys.stdout.write("\t".join((severity, safe(text), safe(fix))) + "\n")
        return
    from rich.text import Text

    mark = ("✗", "bold red") if severity == "error" else ("!", "bold yellow")
    out.print(Text.assemble(mark, " ", safe(text)), soft_wrap=True)
    out.print(Text.assemble("  ", (safe(fix), "cyan")), soft_wrap=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """One step of a longer piece of work: a spinner while it runs, then its outcome and time."""
    from rich.text import Text

    err = _console(sys.stderr)
    started = time.perf_counter()
    try:
        if err.is_terminal:
            with err.status(Text(title)):
                yield
        else:
            yield
    except BaseException:
        err.print(_outcome("✗", "red", title, started), soft_wrap=True)
        raise
    err.print(_outcome("✓", "green", title, started), soft_wrap=True)


def _outcome(mark: str, colour: str, title: str, started: float) -> "Text":
    from rich.text import Text

    seconds = f"{time.perf_counter() - started:.1f} s"
    return Text.assemble((mark, f"bold {colour}"), " ", title, " ", (seconds, "dim"))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows for a person as a table, for a program as tab-separated values without a heading."""
    out = _console(sys.stdout)
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
    _console(sys.stdout).print(grid)


def record(fields: Mapping[str, object]) -> None:
    """One thing and its properties: aligned for a person, tab-separated for a program."""
    from rich.text import Text

    out = _console(sys.stdout)
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        if out.is_terminal:
            out.print(Text.assemble((name.ljust(width), "dim"), "  ", _coloured(safe(value))))
        else:
            sys.stdout.write(f"{name}\t{safe(value)}\n")


def moment(timestamp: str) -> str:
    """A time as a person wants it, to the minute; a program gets it as it came."""
    if not sys.stdout.isatty():
        return timestamp
    return timestamp[:16].replace("T", " ") + (" UTC" if timestamp.endswith("Z") else "")


def heading(text: str) -> None:
    """The title of what follows, for a person; a program reads the data alone."""
    out = _console(sys.stdout)
    if out.is_terminal:
        out.print(f"\n{text}", style="bold", markup=False)


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


def _coloured(cell: str) -> "Text":
    from rich.text import Text

    return Text(cell, style=MEANING.get(cell, ""))


def confirm(question: str) -> bool:
    """Ask before something that can't be taken back; where nobody can answer, go on.

    A script has already decided; a person at a terminal may have mistyped.
    """
    if not is_interactive():
        return True
    from rich.text import Text

    err = _console(sys.stderr)
    err.print(Text.assemble(("? ", "bold yellow"), question, (" [y/N] ", "dim")), end="")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
