"""Values under keys that name a secret are blanked, as a last net (ASVS v5.0.0-16.2.5)."""

import re
from functools import lru_cache
from typing import Final

from structlog.typing import EventDict, WrappedLogger

REDACTED: Final = "[redacted]"

_SECRET_KEY: Final = re.compile(r"passw|token|secret|authorization|cookie|api_?key", re.IGNORECASE)


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
