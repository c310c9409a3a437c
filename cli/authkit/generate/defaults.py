"""Defaults, as they stand on the command line and as they stand in the code."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from authkit.terminal.errors import UsageError

LONGEST_TEXT: Final = 60
"""It has to fit on a line of the code."""

Read = Callable[[str], tuple[str, str]]
"""A default as somebody wrote it → as Python, and as an answer has it (Python of a test)."""


def wrong(given: str, what: str) -> UsageError:
    return UsageError(f"the default {given!r} is no {what}", "correct what follows the `=`")


def a_text(longest: int) -> Read:
    def read(given: str) -> tuple[str, str]:
        most = min(longest, LONGEST_TEXT)
        if not 1 <= len(given) <= most or not given.isprintable():
            raise wrong(given, f"text of 1 to {most} printable characters")
        quoted = json.dumps(given, ensure_ascii=False)
        return quoted, quoted

    return read


def a_number(edge: int) -> Read:
    def read(given: str) -> tuple[str, str]:
        digits = given.removeprefix("-")
        plain = digits.isascii() and digits.isdigit() and len(digits) < 20
        if not plain or not -edge <= int(given) < edge:
            raise wrong(given, f"whole number from {-edge} to {edge - 1}")
        return str(int(given)), str(int(given))

    return read


def a_decimal(before: int, scale: int) -> Read:
    def read(given: str) -> tuple[str, str]:
        whole, point, fraction = given.removeprefix("-").partition(".")
        digits = whole + (fraction if point else "0")
        fits = len(whole.lstrip("0")) <= before and len(fraction) <= scale
        if not (whole and digits.isascii() and digits.isdigit() and fits):
            raise wrong(
                given, f"number with {before} digits before the point and {scale} behind it"
            )
        text = f"{Decimal(given) + 0:.{scale}f}"
        python = f'Decimal("{text}")' if scale else f"Decimal({text})"
        return python, f'"{text}"'

    return read


def a_switch(given: str) -> tuple[str, str]:
    if given not in {"true", "false"}:
        raise wrong(given, "`true` or `false`")
    return given.capitalize(), given.capitalize()


def a_date(given: str) -> tuple[str, str]:
    try:
        read = date.fromisoformat(given)
    except ValueError:
        raise wrong(given, "date like 2026-11-28") from None
    return f"date({read.year}, {read.month}, {read.day})", f'"{read.isoformat()}"'


def a_moment(given: str) -> tuple[str, str]:
    try:
        read = datetime.fromisoformat(given)
        if read.tzinfo is None:
            raise ValueError
        read = read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong(given, "time with its offset, like 2026-11-28T09:30:00Z") from None
    parts = f"{read.year}, {read.month}, {read.day}, {read.hour}, {read.minute}, {read.second}"
    micro = f", {read.microsecond}" if read.microsecond else ""
    answer = read.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"datetime({parts}{micro}, tzinfo=UTC)", f'"{answer}"'


def one_of(words: Sequence[str]) -> Read:
    def read(given: str) -> tuple[str, str]:
        if given not in words:
            raise UsageError(
                f"the default {given!r} is none of {', '.join(words)}", "take one of them"
            )
        return f'"{given}"', f'"{given}"'

    return read
