"""The gate that a request waits at when it hashes, and for as long as it hashes alone.

Not for the whole request: while the database is frozen, whoever stood behind would wait for each
one before them.
"""

from asyncio import Semaphore
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from contextvars import ContextVar

_gate: ContextVar[Semaphore | None] = ContextVar("gate", default=None)


@contextmanager
def hashing_behind(gate: Semaphore | None) -> Iterator[None]:
    """What is hashed in this block waits at the gate, if there is one."""
    before = _gate.set(gate)
    try:
        yield
    finally:
        _gate.reset(before)


def in_turn() -> AbstractAsyncContextManager[None]:
    """One's turn at the gate."""
    return _gate.get() or nullcontext()
