"""What is aimed at, as ratios: two things measured in the same round, so that a slow machine or a
busy minute slows both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, TypeAlias

Round: TypeAlias = dict[str, dict[str, float]]
"""Of each case the numbers that it gave."""


@dataclass(frozen=True)
class Goal:
    """`value` of a round is to be at least, or at most, `bound`."""

    name: str
    value: Callable[[Round], float]
    bound: float
    at_most: bool = False
    unit: str = "×"

    @property
    def is_ratio(self) -> bool:
        return self.unit == "×"


REFERENCE: Final = {"limit_raw_asyncpg": 9047, "limit_bare_fastapi": 15222, "limit_bcrypt": 9.7}
"""The limits in requests a second on the machine that the goals were set on: two cores."""


def speed(a_round: Round, limit: str) -> float:
    """How fast this machine was at that work, as a part of the one that the goals were set on."""
    return a_round[limit]["rps"] / REFERENCE[limit]


@dataclass(frozen=True)
class Outcome:
    goal: Goal
    values: Sequence[float]
    scaled: Mapping[str, Sequence[float]]
    """What is no ratio, as it would be on the machine that the goals were set on, by each limit."""

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def met(self) -> bool:
        return self._is_met_by(self.values)

    @property
    def medians_at_its_speed(self) -> list[float]:
        """From the kindest limit's to the least kind one's."""
        medians = (median(values) for values in self.scaled.values())
        return sorted(medians, reverse=not self.goal.at_most)

    @property
    def met_at_its_speed(self) -> bool | None:
        """None when the limits disagree, since machines differ by more than one factor, or when
        nothing was scaled."""
        verdicts = {self._is_met_by(values) for values in self.scaled.values()}
        return verdicts.pop() if len(verdicts) == 1 else None

    def _is_met_by(self, values: Sequence[float]) -> bool:
        bound = self.goal.bound
        return median(values) <= bound if self.goal.at_most else median(values) >= bound


def ratio(case: str, other: str, number: str = "rps") -> Callable[[Round], float]:
    return lambda a_round: a_round[case][number] / a_round[other][number]


def number(case: str, name: str) -> Callable[[Round], float]:
    return lambda a_round: a_round[case][name]


MINIMAL_RECORDED: Final = {
    "minimal_read": 1123 / REFERENCE["limit_raw_asyncpg"],
    "minimal_refresh": 487 / REFERENCE["limit_raw_asyncpg"],
}
"""minimal-fastapi-postgres-template as a part of the raw asyncpg limit, measured in one run on a
machine with two cores. Used when no checkout of it is given."""


def _against_minimal(case: str, other: str) -> Callable[[Round], float]:
    def value(a_round: Round) -> float:
        if other in a_round:
            return a_round[case]["rps"] / a_round[other]["rps"]
        return a_round[case]["rps"] / (
            MINIMAL_RECORDED[other] * a_round["limit_raw_asyncpg"]["rps"]
        )

    return value


GOALS: Final = (
    Goal("reads / raw asyncpg", ratio("read", "limit_raw_asyncpg"), 0.25),
    Goal("reads / minimal", _against_minimal("read", "minimal_read"), 2),
    Goal("logins / bcrypt on all cores", ratio("login", "limit_bcrypt"), 0.95),
    Goal("reads while 8 log in / idle", ratio("read_storm_8", "read_8"), 0.8),
    Goal(
        "p99 of reads while 8 log in",
        number("read_storm_8", "p99_ms"),
        10,
        True,
        "ms",
    ),
    Goal("reads while 48 log in / idle", ratio("read_storm_48", "read_8"), 0.8),
    Goal(
        "p99 of reads while 48 log in",
        number("read_storm_48", "p99_ms"),
        10,
        True,
        "ms",
    ),
    Goal("refreshes / minimal", _against_minimal("refresh", "minimal_refresh"), 2),
    Goal("reads on SQLite", number("read_sqlite", "rps"), 2000, unit="rps"),
    Goal("reads with two workers / one", ratio("read_two_workers", "read"), 1.3),
    Goal("refreshes, large database / small", ratio("refresh_large", "refresh"), 0.9),
    Goal("logins, large database / small", ratio("login_large", "login"), 0.9),
    Goal("reads, Redis at 1 ms / at 0 ms", ratio("read_redis_1ms", "read_redis"), 0.85),
    Goal("longest pause, largest requests", number("pauses", "longest_ms"), 20, True, "ms"),
    Goal("authkit --help / empty Typer", ratio("authkit_help", "empty_typer", "s"), 1.5, True),
    Goal(
        "token decode / empty Typer", ratio("authkit_token_decode", "empty_typer", "s"), 1.5, True
    ),
    Goal("authkit new until it answers / uv sync", ratio("authkit_new", "uv_sync", "s"), 1.5, True),
    Goal("the generated suite on SQLite", number("suite", "s"), 20, True, "s"),
)


def judge(rounds: Sequence[Round]) -> list[Outcome]:
    """The goals of which every part was measured."""
    outcomes = []
    for goal in GOALS:
        values = []
        scaled: dict[str, list[float]] = {}
        for a_round in rounds:
            try:
                value = goal.value(a_round)
            except KeyError:  # left out of this run
                continue
            values.append(value)
            for limit in () if goal.is_ratio else [name for name in REFERENCE if name in a_round]:
                factor = speed(a_round, limit)
                at_its_speed = value * factor if goal.at_most else value / factor
                scaled.setdefault(limit, []).append(at_its_speed)
        if values:
            outcomes.append(Outcome(goal, values, scaled))
    return outcomes
