"""What long work needs of whoever watches it; `terminal.console` is one such screen."""

from contextlib import AbstractContextManager
from typing import Protocol


class Screen(Protocol):
    """Passed to `new` and `update`, so that neither knows how anything is drawn."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """Show that a step runs, then how it ended and how long it took."""

    def message(self, text: str, *, whole: bool = False) -> None:
        """A line for the person, never part of the result; `whole` when it is to be copied."""

    def warning(self, text: str) -> None:
        """Something that the reader should know before going on."""

    def confirm(self, question: str) -> bool:
        """Ask before something that can't be taken back; where nobody can answer, go on."""
