"""Ctrl-C, SIGTERM, SIGHUP: raised where work can be undone, put off where it must be finished."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from authkit.terminal.errors import INTERRUPTED, AuthkitError


def known_signals() -> list[signal.Signals]:
    """Those of the three that this system has."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextmanager
def stop_signals_raised(outcome: str | Callable[[], str]) -> Iterator[None]:
    """Make SIGTERM and SIGHUP unwind like Ctrl-C does, and let no second one stop the undoing."""

    def stop(signum: int, frame: FrameType | None) -> None:
        for each in caught:
            signal.signal(each, signal.SIG_IGN)
        if signum == signal.SIGINT:
            raise KeyboardInterrupt
        name = signal.Signals(signum).name
        left = outcome if isinstance(outcome, str) else outcome()
        raise AuthkitError(f"stopped by {name}; {left}", exit_code=128 + signum)

    caught = known_signals()
    before: dict[int, Callable[..., Any] | int | None] = {
        each: signal.signal(each, stop) for each in caught
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def stop_signals_put_off(outcome: str, hint: str) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait: half of the files written is what nobody wants.

    A terminal sends Ctrl-C to git as well, which inherits that the signals are blocked.
    """
    signals = known_signals()
    caught: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        caught.append(signum)

    before = {each: signal.signal(each, note) for each in signals}
    block = getattr(signal, "pthread_sigmask", None)  # Windows has none
    mask = block(signal.SIG_BLOCK, signals) if block else ()
    try:
        yield
    finally:
        if block:
            block(signal.SIG_SETMASK, mask)
        for each, handler in before.items():
            signal.signal(each, handler)
    if caught:
        raise AuthkitError(
            outcome,
            hint,
            INTERRUPTED if caught[0] == signal.SIGINT else 128 + caught[0],
        )
