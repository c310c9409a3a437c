"""One pipeline for this application and for the libraries it uses.

People read `console` lines in development; machines read one JSON object a line in production.
"""

import json
import logging
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import Processor

from app.foundation.log.escaping import escape_values, write_traceback
from app.foundation.log.lines import CurrentStream, LineLogger, StreamName
from app.foundation.log.redaction import redact_secrets

LogFormat = Literal["console", "json"]


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
        colors=getattr(sys, stream).isatty(), exception_formatter=write_traceback, sort_keys=False
    )
    return [escape_values, renderer]


def _route_standard_logging(level: int, log_format: LogFormat, stream: StreamName) -> None:
    """Send what libraries log through the same processors.

    Libraries speak from WARNING up, whatever `LOG_LEVEL` says: at DEBUG several of them print
    what they handle (aiosqlite each statement with its parameters).
    """
    handler = logging.StreamHandler(cast(TextIO, CurrentStream(stream)))
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
