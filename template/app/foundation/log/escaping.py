"""Text in a log line is untrusted: no value may break out of its line (CWE-117)."""

import textwrap
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

LONGEST_VALUE: Final = 4096
"""Characters of a value, or of a traceback's line, that are escaped one by one. The rest is cut."""


def escape_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Escape every text of an event. (Values of other types are rendered by their `repr`.)"""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = escape_control_characters(value)
    return event


def escape_control_characters(text: str) -> str:
    """Make line breaks, terminal escapes and lone surrogates visible instead of effective."""
    if len(text) > LONGEST_VALUE:
        text = text[:LONGEST_VALUE] + "[cut]"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def write_traceback(sio: TextIO, exc_info: ExcInfo) -> None:
    """Print a traceback indented, so that no line of it can pass for a log line.

    Never with local variables, which structlog prints when Rich is installed: they hold
    passwords and tokens.
    """
    lines = structlog.processors.ExceptionRenderer()(None, "", {"exc_info": exc_info})["exception"]
    escaped = "\n".join(map(escape_control_characters, lines.split("\n")))
    sio.write("\n" + textwrap.indent(escaped, "    "))
