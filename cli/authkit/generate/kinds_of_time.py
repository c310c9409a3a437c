"""Kinds of fields that name a day or a moment: date, datetime."""

from authkit.generate.defaults import a_date, a_moment
from authkit.generate.kind import Kind, none


def day(arguments: str) -> Kind:
    none(arguments, "date")
    days = ('"0001-01-01"', '"9999-12-31"', '"2024-02-29"')
    return Kind(
        "date",
        "date",
        "Date",
        "sa.Date()",
        "Date",
        "date, `2026-11-28`",
        '"2026-11-28"',
        '"2027-01-01"',
        accepted=tuple((each, each) for each in days),
        refused=(
            *('"2023-02-29"', '"2026-11-28T00:00:00Z"', '"0000-01-01"', '"10000-01-01"'),
            *('"28.11.2026"', '""', "0", '"\\u0662026-11-28"'),
        ),
        numbered="date.fromordinal(730_000 + number).isoformat()",
        default=a_date,
    )


def moment(arguments: str) -> Kind:
    none(arguments, "datetime")
    earliest, latest = '"0001-01-01T00:00:00.000000Z"', '"9999-12-31T23:59:59.999999Z"'
    return Kind(
        "datetime",
        "datetime",
        "UtcDateTime",
        "UtcDateTime()",
        "Moment",
        "time with its offset, `2026-11-28T09:30:00Z`; answered in UTC",
        '"2026-11-28T09:30:00.000000Z"',
        '"2027-01-01T00:00:00.000000Z"',
        accepted=(
            (earliest, earliest),
            (latest, latest),
            ('"2026-11-28T09:30:00+05:30"', '"2026-11-28T04:00:00.000000Z"'),
        ),
        refused=(
            *('"2026-11-28T09:30:00"', '"2026-11-28"', '"2026-11-28 09:30"', '""', "0"),
            *('"0001-01-01T00:00:00+01:00"', '"9999-12-31T23:59:59-01:00"'),
            *('"2023-02-29T00:00:00Z"', '"2026-11-28T25:00:00Z"'),
        ),
        output="Timestamp",
        numbered='f"2026-11-28T09:30:00.{number:06d}Z"',
        default=a_moment,
    )
