"""How old each key is, its next step, and which steps are overdue.

`JWT_KEY_DATES` has the time at which each key was staged, began to sign, or was replaced and only
verifies. An id without a key belongs to a retired key.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import TypeAdapter, ValidationError

from app.config import Settings
from app.foundation.checks.formats import read_key_dates
from app.manage.errors import CommandError
from app.manage.key_families import SECRETS, Family, Slots, families

DATES: Final = "JWT_KEY_DATES"
REMEMBERED: Final = 10
"""This many retired keys are remembered by their id, to explain why a token is refused."""

KEYS: Final = "python -m app.manage keys"
RETIRE: Final = f"{KEYS} retire"

RESTARTS: Final = timedelta(days=1)
"""How long hosts may take to restart after a rotation; until then they sign with the earlier
key."""

REPEATED: Final = timedelta(hours=1)
"""A second rotation within this time, with nothing staged, counts as the same one."""

_DAYS: Final = Settings.model_fields["refresh_token_days"]

Row = dict[str, Any]


def dates_in(values: Mapping[str, str]) -> dict[str, datetime]:
    try:
        dates: Any = read_key_dates(values.get(DATES, ""))
    except ValueError as error:
        raise CommandError(f"{DATES} is wrong: {error}") from None
    return dict(dates)


def spelled(dates: Mapping[str, datetime], known: Iterable[str]) -> str:
    """The dates of the present keys, and of the last retired ones."""
    known = set(known)
    retired = sorted((kid for kid in dates if kid not in known), key=lambda kid: dates[kid])
    kept = [kid for kid in dates if kid in known or kid in retired[-REMEMBERED:]]
    return ",".join(f"{kid}@{_iso(dates[kid])}" for kid in kept)


def rows(values: Mapping[str, str]) -> list[Row]:
    """Each key: its id, its task, its date, and its next step."""
    others = any(family.read(values).keys for family in families() if family is not SECRETS)
    found = []
    for family in families():
        tokens = "refresh" if others and family is SECRETS else family.tokens
        found += [{**row, "tokens": tokens} for row in _rows_of(family, values)]
    return found


def needed_until(since: datetime, values: Mapping[str, str]) -> datetime:
    """When all tokens of an earlier key have expired. A token lives at most as long as a session,
    also one from `token issue`. The time counts from the latest restart of a host."""
    try:  # "30.0" counts too, and nothing that the application refuses
        days_of_ours = TypeAdapter[int](Annotated[int, *_DAYS.metadata])
        days = days_of_ours.validate_python(values.get("REFRESH_TOKEN_DAYS"))
    except ValidationError:
        days = _DAYS.default
    return since + RESTARTS + timedelta(days=days)


def rotated_lately(values: Mapping[str, str], algorithm: str | None) -> Row | None:
    """The key that took over from another one just now."""
    known, lately = rows(values), _iso(datetime.now(UTC) - REPEATED)
    handed_over = {row["since"] for row in known if row["use"] == "verifying"}
    signing = [row for row in known if row["use"] == "signing" and row["since"] in handed_over]
    meant = [row for row in signing if algorithm in (None, row["algorithm"])]
    return next((row for row in meant if (row["since"] or "") > lately), None)


def overdue(values: Mapping[str, str], max_days: int) -> Iterator[tuple[str, str]]:
    """Old keys and half-done rotations: each problem and its fix."""
    for row in rows(values):
        name = f"the {row['algorithm']} key {row['kid']}"
        if row["use"] == "staged":
            yield f"a rotation is under way: {name} is staged", row["next"]
        elif row["since"] is None:
            if row["use"] == "verifying" or max_days:
                yield f"the age of {name} is not known: {DATES} lacks a date", RETIRE
        elif row["use"] == "verifying" and row["next"] == RETIRE:
            yield f"a rotation is not finished: {name} is needed no more", row["next"]
        elif row["use"] == "signing" and max_days and (row["days"] or 0) >= max_days:
            yield f"{name} has signed for {row['days']} days", f"{KEYS} stage{_option(row)}"


def _option(row: Row) -> str:
    return "" if row["algorithm"] in SECRETS.algorithms else f" --algorithm {row['algorithm']}"


def _rows_of(family: Family, values: Mapping[str, str]) -> Iterator[Row]:
    slots, dates, now = family.read(values), dates_in(values), datetime.now(UTC)
    next_began: datetime | None = None
    for key, use in _uses(slots):
        kid = family.key_id(key)
        since = dates.get(kid)
        if use == "verifying":  # it signed until then, whatever date was left to it by hand
            since = max(since, next_began) if since and next_began else None
        next_began = next_began if use == "staged" else dates.get(kid)
        until = needed_until(since, values) if use == "verifying" and since else None
        following = None
        if use == "staged":
            following = f"{family.wait}, then: {KEYS} rotate"
        elif since is None:
            following = f"{RETIRE}, which counts its age from today on"
        elif until:
            restarted = f"if each host was restarted by {_iso(since + RESTARTS)}"
            following = RETIRE if until <= now else f"{RETIRE}, from {_iso(until)} {restarted}"
        yield {
            "kid": kid,
            "use": use,
            "algorithm": family.algorithm(key),
            "tokens": family.tokens,
            "since": _iso(since) if since else None,
            "days": (now - since).days if since else None,
            "retireFrom": _iso(until) if until else None,
            "next": following,
        }


def _uses(slots: Slots) -> Iterator[tuple[str, str]]:
    uses = [(key, "verifying" if index else "signing") for index, key in enumerate(slots.keys)]
    uses.insert(1, (slots.staged, "staged"))
    yield from ((key, use) for key, use in uses if key)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
