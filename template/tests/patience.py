"""Deadlines that no busy machine misses.

The API gives up on a database after two seconds and on Redis after a fifth of one. Where more runs
than there are processors, a pause is as long and no outage: whatever else a test asks, it must not
see one. Tests of an outage give that service less time, and ask nothing of how long it took.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

PATIENT_SECONDS: Final = 60.0

OUTAGE_SECONDS: Final = 4.0
"""For a service that does not answer: each request waits for as long."""

DEADLINES: Final = {
    "database": (
        ("app.foundation.database.deadline", "DEADLINE_SECONDS"),
        ("app.foundation.database.postgresql", "DEADLINE_SECONDS"),
        ("app.foundation.database.sections", "DEADLINE_SECONDS"),
        ("app.foundation.database.sqlite", "DEADLINE_SECONDS"),
    ),
    "redis": (
        ("app.foundation.limits.redis", "REDIS_TIMEOUT_SECONDS"),
        ("app.foundation.limits.redis_store", "NODE_SECONDS"),
        ("app.foundation.limits.redis_store", "SOCKET_SECONDS"),
    ),
}
"""Where each is read."""

VARIABLE: Final = "TEST_DEADLINES"


@contextmanager
def deadlines(**seconds: float) -> Iterator[None]:
    """In this process, until the end of the block: `deadlines(database=0.2)`."""
    before = _set(seconds)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(import_module(module), name, value)


def patient() -> Mapping[str, float]:
    return dict.fromkeys(DEADLINES, PATIENT_SECONDS)


def soon(*services: str) -> dict[str, str]:
    """For a server that is to notice an outage: `serve(**soon("redis"))`."""
    return {VARIABLE: json.dumps(dict.fromkeys(services, OUTAGE_SECONDS))}


def patient_app() -> Any:
    """The application that ships, for servers of tests: `uvicorn --factory`."""
    _set({**patient(), **json.loads(os.environ.get(VARIABLE, "{}"))})
    return import_module("app.main").app


def _set(seconds: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Returns what was there before."""
    before = []
    for service, value in seconds.items():
        for module, name in DEADLINES[service]:
            before.append((module, name, getattr(import_module(module), name)))
            setattr(import_module(module), name, value)
    return before
