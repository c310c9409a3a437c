"""Statements behind a pooler: sent whole each time, described now and then."""

import time
from typing import Any, Final

import asyncpg

DESCRIBED_SECONDS: Final = 1.0
"""How long a statement's types stay known."""
MAX_KNOWN: Final = 200

_MISREAD: Final = (
    *(AssertionError, BufferError, ValueError),
    *(asyncpg.InternalClientError, asyncpg.InvalidBinaryRepresentationError),
)
"""The errors for values that are not of the described types."""


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """Runs a statement in one round trip, for `statement_cache_size=0`. The server parses it anew
    each time, so it needs nothing from before, and no plan can be outdated. Only the types of the
    values are remembered. asyncpg by itself asks for them each time, in a second round trip; a read
    then costs the worker 30 % more.
    """

    __slots__ = ("_known",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._known: dict[str, _Statement] = {}

    async def prepare(self, query: str, **options: Any) -> "_Statement":
        """Called by SQLAlchemy before each execution."""
        now = time.monotonic()
        known = self._known.get(query)
        if known is not None and now < known.until:
            return known
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        described = _Statement(await super().prepare(query, **options), now + DESCRIBED_SECONDS)
        self._known[query] = described
        return described


class _Statement:
    """What SQLAlchemy uses of a prepared statement."""

    def __init__(self, statement: Any, until: float) -> None:
        self.until = until
        self._is_new = True
        self._attributes = statement.get_attributes()
        self._statement = statement
        self.get_statusmsg = statement.get_statusmsg

    def get_attributes(self) -> Any:
        return self._attributes

    async def fetch(self, *args: Any) -> Any:
        is_new, self._is_new = self._is_new, False
        try:
            return await self._statement.fetch(*args)
        except _MISREAD as error:
            if is_new:
                raise
            self.until = 0.0
            raise asyncpg.InvalidCachedStatementError("a migration changed its types") from error
