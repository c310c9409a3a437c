"""A kind of field: source code of the project to be, which its skeleton puts where it belongs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from authkit.terminal.errors import UsageError


@dataclass(frozen=True)
class Kind:
    """One type with its arguments. `accepted` is what is sent and what is answered."""

    name: str
    python: str
    column: str
    migration: str
    input: str
    said: str
    example: str
    other: str
    accepted: tuple[tuple[str, str], ...]
    refused: tuple[str, ...]
    alias: str = ""
    """What the field's own type is in the schemas, where `input` alone does not say it."""
    output: str = ""
    check: str = ""
    numbered: str = ""
    """An example that counts up, for what may be there once; empty where none may."""
    is_indexable: bool = True
    is_filter: bool = False
    default: Callable[[str], tuple[str, str]] | None = field(default=None, compare=False)
    """A default as somebody wrote it → as Python, and as an answer's JSON."""


def whole(given: str, name: str, least: int, most: int) -> int:
    if not given.isascii() or not given.isdigit() or not least <= int(given[:9]) <= most:
        raise UsageError(f"{name}({given}) is out of range", f"write {name}({most}), or less")
    return int(given)


def none(arguments: str, name: str) -> None:
    if arguments:
        raise UsageError(f"{name} takes nothing in parentheses", f"write {name} alone")


def twice(*values: str) -> tuple[tuple[str, str], ...]:
    """Answered as they were sent."""
    return tuple((value, value) for value in values)
