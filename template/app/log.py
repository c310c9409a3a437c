"""Logging: one pipeline for this application and for the libraries it uses.

People read `console` lines in development; machines read one JSON object a line in production.
What reaches a line is untrusted text, so no value can break out of its line (CWE-117), and
values under keys that name a secret are blanked as a last net (ASVS v5.0.0-16.2.5).

The module is not called `logging`, so that nobody confuses it with the standard library's.
"""

import contextlib
import json
import logging
import re
import sys
import textwrap
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

LogFormat = Literal["console", "json"]
StreamName = Literal["stdout", "stderr"]

REDACTED: Final = "[redacted]"

LONGEST_VALUE: Final = 4096
"""Characters of a value, or of a traceback's line, that are escaped one by one. The rest is cut."""

_SECRET_KEY: Final = re.compile(r"passw|token|secret|authorization|cookie|api_?key", re.IGNORECASE)


class SecurityEvent(StrEnum):
    """What an auditor looks for (ASVS v5.0.0-16.3). Log these with ids, never with an e-mail
    body, a password or a token."""

    USER_REGISTERED = "auth.user_registered"
    LOGIN_SUCCEEDED = "auth.login_succeeded"
    LOGIN_FAILED = "auth.login_failed"
    LOGGED_OUT = "auth.logged_out"
    REFRESH_REUSED = "auth.refresh_reused"
    SESSIONS_REVOKED = "auth.sessions_revoked"
    PASSWORD_RESET_REQUESTED = "auth.password_reset_requested"  # noqa: S105  # nosec B105
    PASSWORD_RESET = "auth.password_reset"  # noqa: S105  # nosec B105
    PASSWORD_CHANGED = "auth.password_changed"  # noqa: S105  # nosec B105
    PASSWORD_CHANGE_FAILED = "auth.password_change_failed"  # noqa: S105  # nosec B105
    EMAIL_CHANGED = "auth.email_changed"
    ROLE_CHANGED = "auth.role_changed"
    USER_ACTIVATED = "auth.user_activated"
    USER_DEACTIVATED = "auth.user_deactivated"
    ACCESS_DENIED = "auth.access_denied"
    RATE_LIMIT_EXCEEDED = "rate_limit.exceeded"


def configure_logging(level: str, log_format: LogFormat, stream: StreamName = "stdout") -> None:
    """Set up structlog and the standard library's logging. May be called again."""
    log_level = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_shared_processors(), *_renderers(log_format, stream)],
        wrapper_class=structlog.make_filtering_bound_logger(log_level),
        logger_factory=lambda *_: LineLogger(stream),
        # A cached logger would keep the level and the stream of its first line, whatever is
        # configured later (by a test, by `app.manage`). Not caching costs 1.3 µs a line.
        cache_logger_on_first_use=False,
    )
    _route_standard_logging(log_level, log_format, stream)


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact_secrets,
    ]


def _renderers(log_format: LogFormat, stream: StreamName) -> list[Processor]:
    return _json_renderers() if log_format == "json" else _console_renderers(stream)


def _json_renderers() -> list[Processor]:
    # One encoder made in advance: json.dumps(default=...) makes another for every line.
    encode = json.JSONEncoder(default=repr, separators=(",", ":")).encode
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=lambda event, **_: encode(event)),
    ]


def _console_renderers(stream: StreamName) -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=getattr(sys, stream).isatty(),
        exception_formatter=_write_traceback,
        sort_keys=False,
    )
    return [escape_values, renderer]


def _route_standard_logging(level: int, log_format: LogFormat, stream: StreamName) -> None:
    """Send what libraries log through the same processors.

    Libraries speak from WARNING up, whatever `LOG_LEVEL` says: at DEBUG several of them print
    what they handle (aiosqlite each statement with its parameters).
    """
    handler = logging.StreamHandler(cast(TextIO, _CurrentStream(stream)))
    handler.setFormatter(standard_formatter(log_format, stream))
    logging.root.handlers = [handler]
    logging.root.setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "alembic"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
        library.setLevel(max(level, logging.INFO))
    # uvicorn asks `hasHandlers()` once a connection and then skips its own access line.
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False


def standard_formatter(log_format: LogFormat, stream: StreamName = "stdout") -> logging.Formatter:
    """What writes the standard library's records in the same way as structlog's events."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *_shared_processors()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_renderers(log_format, stream),
        ],
    )


class _CurrentStream:
    """`sys.stdout` or `sys.stderr` as it is when written to, not as it was at configuration."""

    def __init__(self, name: StreamName) -> None:
        self._name = name

    def write(self, text: str) -> None:
        getattr(sys, self._name).write(text)

    def flush(self) -> None:
        getattr(sys, self._name).flush()


class LineLogger:
    """Writes each line in one call, so that lines of several workers or threads don't mix.

    structlog's WriteLogger keeps the stream it was made with, and PrintLogger makes two writes
    of a line when Python runs unbuffered, as it commonly does in a container.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: StreamName) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        # A log line that can't be written (a closed pipe) must not fail the request.
        with contextlib.suppress(OSError, ValueError):
            stream = getattr(sys, self._stream)
            stream.write(line + "\n")
            stream.flush()

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def redact_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blank values whose key says that they are secret. Numbers stay: they are counts."""
    for key, value in event.items():
        if isinstance(value, dict):
            event[key] = redact_secrets(_, __, dict(value))
        elif not isinstance(value, int | float | None) and _names_a_secret(key):
            event[key] = REDACTED
    return event


@lru_cache(maxsize=1024)
def _names_a_secret(key: object) -> bool:
    return _SECRET_KEY.search(str(key)) is not None


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


def _write_traceback(sio: TextIO, exc_info: ExcInfo) -> None:
    """Print a traceback indented, so that no line of it can pass for a log line.

    Never with local variables, which structlog prints when Rich is installed: they hold
    passwords and tokens.
    """
    lines = structlog.processors.ExceptionRenderer()(None, "", {"exc_info": exc_info})["exception"]
    escaped = "\n".join(map(escape_control_characters, lines.split("\n")))
    sio.write("\n" + textwrap.indent(escaped, "    "))
