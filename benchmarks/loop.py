"""What a person waits for, at an earlier commit and here: `python -m benchmarks.loop`.

Both commits are cloned beside each other, each with an environment of its own, and measured in
turns, so that a busy minute slows both. What is not committed is not measured. See CONTRIBUTING.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.load import LoadError, require_wrk
from benchmarks.loop_rows import ROWS, Measured, Row
from benchmarks.loop_sides import Side
from benchmarks.world import say

HEADER = """\
| what | before | here | ratio | goal | | ratio of CPU time |
| --- | ---: | ---: | ---: | ---: | --- | ---: |"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=__doc__)
    parser.add_argument("--against", required=True, metavar="COMMIT", help="what to compare with")
    parser.add_argument("--only", metavar="ROW,…", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--pairs", type=int, help="how often, instead of each row's own number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number here")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    names = chosen.only.split(",") if chosen.only else list(ROWS)
    # Where it is set, as in containers, every start compiles everything anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        rows = {name: row_called(name) for name in names}
        if any(row.needs_wrk for row in rows.values()):
            require_wrk()
        measured = compare(rows, chosen.against, chosen.pairs)
    except (LoadError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if chosen.json:
        chosen.json.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    return 0


def row_called(name: str) -> Row:
    if name not in ROWS:
        raise LoadError(f"there is no row {name}; there are {', '.join(ROWS)}")
    return ROWS[name]


def compare(rows: dict[str, Row], against: str, pairs: int | None) -> dict[str, list[list[float]]]:
    """Print the table, line by line; return the pairs of numbers, the earlier commit's first."""
    measured = {}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="authkit-loop-")))
        before = Side.build(scratch / "before", against, stack)
        here = Side.build(scratch / "here", "HEAD", stack)
        print(HEADER, flush=True)
        for name, row in rows.items():
            done = in_turns(name, row, before, here, pairs or row.pairs)
            print(line(row, done), flush=True)
            measured[name] = [[first.value, second.value] for first, second in done]
    return measured


def in_turns(
    name: str, row: Row, before: Side, here: Side, pairs: int
) -> list[tuple[Measured, Measured]]:
    """Measure both as often as asked; who comes first changes each time."""
    if row.warms_up:
        row.measure(before), row.measure(here)
    done = []
    for number in range(pairs):
        say(f"{name}: pair {number + 1} of {pairs}")
        if number % 2:
            second = row.measure(here)
            first = row.measure(before)
        else:
            first = row.measure(before)
            second = row.measure(here)
        done.append((first, second))
    return done


def line(row: Row, done: Sequence[tuple[Measured, Measured]]) -> str:
    """One line of the table: medians, and in brackets from the least to the most."""
    ratios = [second.value / first.value for first, second in done]
    ratio = median(ratios)
    is_met = ratio >= row.bound if row.at_least else ratio <= row.bound
    cells = (
        row.what,
        f"{spread([first.value for first, _ in done])} {row.unit}",
        f"{spread([second.value for _, second in done])} {row.unit}",
        spread(ratios),
        f"{'≥' if row.at_least else '≤'} {row.bound:g}",
        "met" if is_met else "missed",
        spread([second.cpu / first.cpu for first, second in done if first.cpu and second.cpu]),
    )
    return f"| {' | '.join(cells)} |"


def spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    return f"{median(values):.3g} ({min(values):.3g}–{max(values):.3g})"


if __name__ == "__main__":
    sys.exit(main())
