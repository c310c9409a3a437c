"""What came of `authkit new`, and how long each of its steps took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authkit.terminal.screen import Screen


@dataclass
class Made:
    """What came of it."""

    screen: Screen
    users: list[dict[str, Any]] = field(default_factory=list)
    commit: str = ""
    inside: Path | None = None
    """The repository that the project lies in, and that is its owner's to commit to."""
    seconds: dict[str, float] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    overriding: list[str] = field(default_factory=list)
    """Settings in the caller's environment, which will win over the new `.env`."""
    stays: str = ""
    """What a failure from here on would leave behind, in a sentence."""

    @property
    def left_behind(self) -> str:
        """For whoever reads of a failure."""
        return "nothing else was left behind" if self.stays else "nothing was left behind"

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show a step and keep its time."""
        started = time.perf_counter()
        with self.screen.step(name):
            yield
        self.seconds[name] = round(time.perf_counter() - started, 2)
