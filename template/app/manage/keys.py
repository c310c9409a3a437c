"""The keys in `.env`, rotated in steps that sign nobody out.

A staged key only verifies. Once each host knows it, it signs. The key before it still verifies
until all its tokens have expired. Each step is one write, by one process at a time.
"""

import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from app.manage import env_file, key_dates
from app.manage.commands import add_command, add_group
from app.manage.errors import CommandError
from app.manage.key_families import SECRETS, Family, Slots, families

UNSTAGED: Final = (
    "note: nothing was staged. Restart every server now: one that is not, on another host, refuses "
    "what the new key signs, and its users get 401. With several hosts, stage first."
)

ROTATED: Final = (
    "note: this was rotated already: {kid} has signed since {since}. Nothing is staged, so nothing "
    "was changed; for one more rotation, stage first."
)

Rows = list[key_dates.Row]


def list_keys(args: Namespace) -> Rows:
    return key_dates.rows(env_file.read())


def stage(args: Namespace) -> Rows:
    """Make a key that only verifies. If one is staged already, nothing happens."""
    family = _family(args.algorithm or SECRETS.algorithms[0])
    env_file.refuse_environment(*family.names, key_dates.DATES)
    with env_file.locked():
        values = env_file.read()
        slots = family.read(values)
        if family is SECRETS and not any(slots.keys[:1]):
            raise CommandError("there is no key yet", "python -m app.manage keys rotate makes one")
        if not _is_staged(family, slots, args.algorithm):
            staged = family.make(args.algorithm or family.algorithms[0])
            _write(values, family.write(Slots(staged, slots.keys)), [family.key_id(staged)])
    return list_keys(args)


def rotate(args: Namespace) -> Rows:
    """Sign with the staged key, or with a new one; the present key still verifies.

    Asked twice, it happens once: a second rotation would sign with a key that no other host knows.
    """
    with env_file.locked():
        values = env_file.read()
        staged = _staged(values, args.algorithm)
        if not staged and (done := key_dates.rotated_lately(values, args.algorithm)):
            print(ROTATED.format_map(done), file=sys.stderr)
            return list_keys(args)
        for family in staged or [_family(args.algorithm or SECRETS.algorithms[0])]:
            _sign_with_next(family, args.algorithm)
    return list_keys(args)


def _sign_with_next(family: Family, algorithm: str | None) -> None:
    env_file.refuse_environment(*family.names, key_dates.DATES)
    values = env_file.read()
    slots = family.read(values)
    is_staged = _is_staged(family, slots, algorithm)
    keep = family.successors_of(slots)
    if keep and not is_staged:
        print(UNSTAGED, file=sys.stderr)
    new = slots.staged or family.make(algorithm or family.algorithms[0])
    changed = (new, *keep[: len(keep) - len(slots.keys[1:])])
    _write(values, family.write(Slots("", (new, *keep))), map(family.key_id, changed))


def retire(args: Namespace) -> Rows:
    """Remove earlier keys whose tokens have all expired, and say when the others will be ready.
    Keys without a date get today's."""
    with env_file.locked():
        known = list_keys(args)
        due = {row["kid"] for row in known if row["next"] == key_dates.RETIRE}
        for family in families():
            values = env_file.read()
            earlier = family.read(values).keys[1:]
            if gone := [key for key in earlier if family.key_id(key) in due]:
                _forget(values, family, gone)
        if any(row["since"] is None for row in known):
            env_file.refuse_environment(key_dates.DATES)
            _write(env_file.read(), {})
    return list_keys(args)


def remove(args: Namespace) -> Rows:
    """Forget a key at once: what it signed is refused from the next start on."""
    with env_file.locked():
        values = env_file.read()
        for family in families():
            slots = family.read(values)
            keys = {family.key_id(key): key for key in (slots.staged, *slots.keys) if key}
            if args.kid in keys:
                if keys[args.kid] in slots.keys[:1]:
                    raise CommandError(
                        f"{args.kid} is the key that signs",
                        "first: python -m app.manage keys rotate",
                    )
                _forget(values, family, [keys[args.kid]])
                return list_keys(args)
    for family in families():
        env_file.refuse_environment(*family.names)
    raise CommandError(f"there is no key {args.kid}", "list them: python -m app.manage keys list")


def _family(algorithm: str) -> Family:
    return next(family for family in families() if algorithm in family.algorithms)


def _staged(values: Mapping[str, str], algorithm: str | None) -> list[Family]:
    """The chosen families with a staged key."""
    meant = [_family(algorithm)] if algorithm else families()
    return [family for family in meant if family.read(values).staged]


def _is_staged(family: Family, slots: Slots, algorithm: str | None) -> bool:
    if not slots.staged:
        return False
    staged = family.algorithm(slots.staged)
    if algorithm not in (None, staged):
        kid = family.key_id(slots.staged)
        raise CommandError(
            f"a key for {staged} is staged already", f"rotate, or: app.manage keys remove {kid}"
        )
    return True


def _forget(values: Mapping[str, str], family: Family, keys: Iterable[str]) -> None:
    env_file.refuse_environment(*family.names, key_dates.DATES)
    slots = family.read(values)
    gone = set(keys)
    left = Slots(
        "" if slots.staged in gone else slots.staged,
        tuple(key for key in slots.keys if key not in gone),
    )
    _write(values, family.write(left), map(family.key_id, gone))


def _write(
    values: Mapping[str, str], changes: Mapping[str, str], changed: Iterable[str] = ()
) -> None:
    """Write a family's keys, and the dates of the changed ones. A key without a date gets today's,
    which does not count as a rotation."""
    now = datetime.now(UTC)
    known = {row["kid"] for row in key_dates.rows({**values, **changes})}
    dates = key_dates.dates_in(values) | dict.fromkeys(changed, now)
    dates |= dict.fromkeys(known - dates.keys(), now - key_dates.REPEATED)
    changes = {**changes, key_dates.DATES: key_dates.spelled(dates, known)}
    env_file.write({name: new for name, new in changes.items() if new != values.get(name, "")})


def add_commands(commands: Any) -> None:
    group = add_group(commands, "keys", "the keys that sign tokens")
    known = [algorithm for family in families() for algorithm in family.algorithms]
    add_command(group, "list", list_keys, "each key, its age and what comes next", services=False)
    for name, handler, help_text in (
        ("stage", stage, "make a key that only verifies, until each host knows it"),
        ("rotate", rotate, "sign with the staged key, or with a new one"),
    ):
        command = add_command(group, name, handler, help_text, services=False)
        command.add_argument("--algorithm", choices=known, help="what the key signs with")
    add_command(group, "retire", retire, "forget keys that nothing needs any more", services=False)
    removal = add_command(group, "remove", remove, "forget a key at once", services=False)
    removal.add_argument("kid", metavar="KID")
