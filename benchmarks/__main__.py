"""Generate a project, drive it under load, and print how it compares. See README.md."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks import goals, minimal, report, startup, timeline
from benchmarks.cases import CASES
from benchmarks.load import LoadError, require_wrk
from benchmarks.world import BULK, Options, World, build, say

STORMS = (8, 48)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"not a whole number from 1 on: {text!r}")
    return int(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_count, default=3, help="how often each case is measured")
    parser.add_argument("--seconds", type=_count, default=6, help="how long each time")
    parser.add_argument("--only", nargs="+", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--bulk", type=_count, default=BULK, help="users in the large database")
    parser.add_argument("--minimal", type=Path, metavar="DIR", help="a checkout to compare with")
    parser.add_argument("--no-startup", action="store_true", help="leave out the command line")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the tables into this")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw latency under a storm")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    # Where it is set, as in containers, every start compiles everything anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        require_wrk()
        if chosen.plot and find_spec("matplotlib") is None:
            raise LoadError("--plot needs matplotlib: `pip install -e .[bench]`")
        with tempfile.TemporaryDirectory(prefix="authkit-benchmark-") as scratch:
            options = Options(
                scratch=Path(scratch),
                database_url=os.environ.get(
                    "BENCHMARK_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
                ),
                redis_url=os.environ.get("BENCHMARK_REDIS_URL", "redis://127.0.0.1:6379/0"),
                bulk=chosen.bulk,
            )
            guests = [partial(minimal.join, chosen.minimal)] if chosen.minimal else []
            with build(options, guests) as world:
                rounds = [run_round(world, chosen, number) for number in range(chosen.rounds)]
                if chosen.plot:
                    say("timelines")
                    timelines = [timeline.record(world, clients) for clients in STORMS]
                    report.draw_timelines(chosen.plot, timelines)
    except LoadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    outcomes = goals.judge(rounds)
    text = report.summary(rounds, outcomes, chosen.seconds, chosen.bulk)
    print(text)
    if chosen.document:
        report.replace_results(chosen.document, text)
    if chosen.json:
        report.write_json(chosen.json, rounds, outcomes, chosen.seconds)
    return 0


def run_round(world: World, chosen: argparse.Namespace, number: int) -> goals.Round:
    """Every case once, one after the other, so that each has its neighbours in the same minute."""
    cases = {**CASES, **(minimal.CASES if chosen.minimal else {})}
    results: goals.Round = {}
    for name in _in_order(cases, chosen.only):
        say(f"round {number + 1}: {name}")
        results[name] = cases[name](world, chosen.seconds)
    if not chosen.no_startup:
        say(f"round {number + 1}: the command line")
        seconds = startup.measure_start(world.options.scratch)
        seconds |= startup.measure_new(world, number)
        if number == 0 and (suite := startup.measure_suite(world)):
            seconds["suite"] = suite
        results |= {name: {"s": value} for name, value in seconds.items()}
    return results


def _in_order(cases: Iterable[str], only: list[str] | None) -> list[str]:
    unknown = set(only or ()) - set(cases)
    if unknown:
        raise LoadError(f"there is no case {', '.join(sorted(unknown))}")
    return [name for name in cases if only is None or name in only]


if __name__ == "__main__":
    sys.exit(main())
