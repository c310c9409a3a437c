"""The gate at which a request waits to hash. It holds the gate only while it hashes, not for the
whole request: if the database froze, all requests behind it would wait too.
"""

from asyncio import Semaphore
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from contextvars import ContextVar

_gate: ContextVar[Semaphore | None] = ContextVar("gate", default=None)


@contextmanager
def hashing_behind(gate: Semaphore | None) -> Iterator[None]:
    """Hashes in this block wait at the gate, if there is one."""
    before = _gate.set(gate)
    try:
        yield
    finally:
        _gate.reset(before)


def in_turn() -> AbstractAsyncContextManager[None]:
    """One's turn at the gate."""
    return _gate.get() or nullcontext()
