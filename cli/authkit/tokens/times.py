"""Times of a token, for people: UTC, local, and how long ago."""

import re
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from authkit.terminal.errors import UsageError

# The last second that a date can name. A larger "exp" is a number, not a time.
MAX_TIMESTAMP: Final = 253_402_300_799
UNITS: Final = (
    ("d", 86_400, "h", 3_600),
    ("h", 3_600, "min", 60),
    ("min", 60, "", 60),
    ("s", 1, "", 1),
)
MAX_DURATION: Final = 366 * 86_400
DURATION: Final = re.compile(r"(\d{1,9})\s*(s|m|min|h|d)?", re.ASCII)
DURATION_UNITS: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def is_timestamp(value: Any) -> TypeGuard[float]:
    """A NumericDate (RFC 7519 §2) that a calendar can show; `true` is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= MAX_TIMESTAMP  # neither NaN nor Infinity


def utc(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(timestamp: float) -> str:
    """The same for programs, in full (RFC 3339)."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat().replace("+00:00", "Z")


def local(timestamp: float) -> str:
    """The same moment where the reader is; the offset tells which clock this is."""
    try:
        return datetime.fromtimestamp(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    except (OverflowError, ValueError, OSError):
        return utc(timestamp)


def relative(timestamp: float, now: float) -> str:
    """`3 min ago`, `in 2 h 5 min`, `now`."""
    seconds = round(abs(timestamp - now))
    if seconds == 0:
        return "now"
    return f"{duration(seconds)} ago" if timestamp < now else f"in {duration(seconds)}"


def duration(seconds: float) -> str:
    """The largest unit, rounded, with the next one while the largest is small: `1 h 30 min`."""
    for unit, size, next_unit, step in UNITS:
        rounded = round(seconds / step) * step
        if seconds >= size or (step < size <= rounded):
            count, rest = divmod(rounded, size)
            more = f" {rest // step} {next_unit}" if rest and count < 10 else ""
            return f"{count:,} {unit}{more}"
    return "0 s"


def parse_time(text: str) -> float:
    """A point in time: ISO 8601 (UTC unless it says otherwise) or seconds since 1970."""
    text = text.strip()
    try:
        timestamp = float(text)
    except ValueError:
        timestamp = _parse_iso(text)
    if not is_timestamp(timestamp):
        hint = "are these milliseconds? Leave out the last three digits" if timestamp > 0 else ""
        raise UsageError(f"{text[:40]!r} is not a time between 1970 and 9999", hint)
    return timestamp


def _parse_iso(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text[:40]!r} is not a time",
            "write ISO 8601 (2026-01-31T12:00:00Z, without an offset it is UTC) or seconds "
            "since 1970",
        ) from None


def parse_duration(text: str) -> int:
    """Seconds in `90`, `90s`, `15m`, `2h` or `7d`: at least one, at most a year."""
    match = DURATION.fullmatch(text.strip())
    seconds = int(match[1]) * DURATION_UNITS[match[2] or ""] if match else 0
    if not 1 <= seconds <= MAX_DURATION:
        raise UsageError(
            f"{text[:40]!r} is not a length of time up to a year",
            "write 90s, 15m, 2h, 7d or plain seconds",
        )
    return seconds
