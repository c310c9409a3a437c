"""What is said and asked: messages on stderr, JSON on stdout, timed steps, questions.

In a terminal the output is for a person (colour, spinners, questions); in a pipe it is for a
program: no ANSI sequence, no wrapped line, no question. Rich is imported on the first use of `out`
or `err`, so that a command that prints nothing through it starts without it.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from authkit.terminal.errors import UsageError
from authkit.terminal.safe_text import safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    out: Console
    err: Console

# Wide enough that rich never wraps a line that a program will read.
PIPE_WIDTH = 100_000
NARROWEST = 16
LEADING = re.compile(r"^ *(?:- )?")


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


def print_json(data: object) -> None:
    """Data for a program: JSON alone on stdout.

    A person may see it too: what could steer a terminal is written as JSON's own escapes.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False)
    sys.stdout.write("".join(map(_json_character, text)) + "\n")


def _json_character(char: str) -> str:
    return char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1]


def message(text: str, *, style: str = "", whole: bool = False) -> None:
    """A line for the person at the keyboard, on stderr; never part of the result.

    `whole` is for what is copied, as a command: the terminal breaks it where it ends, we don't.
    """
    err = _console(sys.stderr)
    lines = text if whole else "\n".join(_lines(err, line) for line in text.split("\n"))
    err.print(lines, style=style or None, markup=False, soft_wrap=True)


def _lines(console: "Console", text: str, taken: int = 0) -> str:
    """A line of prose as lines of whole words, each below the first word.

    Words longer than a line, such as paths, stay whole, to be copied. `taken` columns stand before
    the first word; else its own indentation and the dash of a list do.
    """
    import textwrap

    if not console.is_terminal or taken + len(text) <= console.width:
        return text
    rest = text if taken else LEADING.sub("", text)
    indent = taken + len(text) - len(rest)
    room = max(console.width - indent, NARROWEST)
    words = textwrap.wrap(rest, room, break_long_words=False, break_on_hyphens=False)
    return text[: len(text) - len(rest)] + f"\n{' ' * indent}".join(words)


def success(text: str) -> None:
    """What has been done, in the past tense."""
    _marked("✓", "green", text)


def warning(text: str) -> None:
    """Something that the reader should know before going on."""
    _marked("!", "yellow", text)


def _marked(mark: str, colour: str, text: str) -> None:
    from rich.text import Text

    err = _console(sys.stderr)
    line = Text.assemble((mark, f"bold {colour}"), " ", _lines(err, text, 2))
    err.print(line, soft_wrap=True)


def error(text: str, hint: str = "") -> None:
    """The one form in which every failure is reported."""
    from rich.text import Text

    err = _console(sys.stderr)
    err.print(Text.assemble(("error:", "bold red"), " ", _lines(err, text, 7)), soft_wrap=True)
    if hint:
        err.print(Text.assemble(("hint:", "bold cyan"), " ", hint), soft_wrap=True)


def finding(severity: str, text: str, fix: str) -> None:
    """Something to fix and how: two lines for a person, tab-separated for a program."""
    out = _console(sys.stdout)
    if not out.is_terminal:
        sys.stdout.write("\t".join((severity, safe(text), safe(fix))) + "\n")
        return
    from rich.text import Text

    mark = ("✗", "bold red") if severity == "error" else ("!", "bold yellow")
    out.print(Text.assemble(mark, " ", _lines(out, safe(text), 2)), soft_wrap=True)
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


def ask(question: str, answers: tuple[str, ...], default: str) -> str:
    """Put a question with its possible answers (any, when there are none) and its default."""
    from rich.prompt import Prompt

    try:
        return Prompt.ask(
            question, choices=list(answers) or None, default=default, console=_console(sys.stderr)
        )
    except EOFError:
        raise UsageError("no answer", "answer the question, or take the defaults: -y") from None
