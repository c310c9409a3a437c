"""Logs what operators do: in the system's log, or on standard error if there is none."""

import getpass
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

from app.accounts.tokens import token_hash
from app.foundation.log import configure_logging
from app.security_events import SecurityEvent

SYSLOG: Path = Path("/dev/log")

UNLOGGED: Final = {
    *("check", "info", "openapi", "keys list", "token list", "token status", "mail preview"),
    *("user list", "user show", "user sessions", "user events"),
    "seed",  # production refuses it
}
"""These change nothing."""

logger = structlog.get_logger()


@contextmanager
def audited(args: Namespace) -> Iterator[None]:
    """Log the command when it is done; its changes to accounts are the operator's.

    Nothing else is logged: a failure is one sentence, which `main` prints.
    """
    _log_security_events_only()
    account = {"email_hash": token_hash(args.email.strip().lower())} if "email" in args else {}
    with structlog.contextvars.bound_contextvars(actor=f"operator {operator()}"):
        yield
        if args.command not in UNLOGGED:
            logger.info(SecurityEvent.OPERATOR_COMMAND, command=args.command, **account)


def operator() -> str:
    """The system's user, and under sudo who called it: not what the environment says."""
    try:
        import pwd  # noqa: PLC0415 - not on Windows

        user = pwd.getpwuid(os.getuid()).pw_name
    except ImportError:
        return getpass.getuser()
    except KeyError:  # containers may run as a number
        return f"uid {os.getuid()}"
    caller = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
    return f"{user} (sudo {caller})"[:64] if caller else user


def _log_security_events_only() -> None:
    to_syslog = SYSLOG.is_socket()
    for_people = not to_syslog and sys.stderr.isatty()
    configure_logging("critical", "console" if for_people else "json", stream="stderr")
    structlog.configure(
        processors=[_drop_others, *structlog.get_config()["processors"]],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Syslog if to_syslog else None,
    )


def _drop_others(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if not isinstance(event["event"], StrEnum):  # a part, or a feature, has events of its own
        raise structlog.DropEvent
    return event


class _Syslog:
    """One datagram a line, with the facility of authentication."""

    def __init__(self, *_: object) -> None:
        self._handler = SysLogHandler(str(SYSLOG), SysLogHandler.LOG_AUTH)
        self._handler.ident = "app.manage: "

    def msg(self, line: str) -> None:
        self._handler.handle(logging.makeLogRecord({"msg": line, "levelname": "INFO"}))
        self._handler.close()

    info = warning = msg
