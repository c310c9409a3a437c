"""The results: a table for people, JSON for programs, plots for the documentation."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.goals import REFERENCE, Outcome, Round, speed
from benchmarks.timeline import Timeline

START: Final = "<!-- results -->"
END: Final = "<!-- end of results -->"


def cases_table(rounds: Sequence[Round]) -> str:
    """One line a case, the median of the rounds and their range."""
    lines = ["| case | rps (range) | p50 ms | p99 ms (range) |", "| --- | ---: | ---: | ---: |"]
    for case in rounds[0]:
        if "rps" not in rounds[0][case]:
            continue
        rps = _spread([a_round[case]["rps"] for a_round in rounds])
        p50 = p99 = ""
        if "p50_ms" in rounds[0][case]:
            p50 = _figure(median(a_round[case]["p50_ms"] for a_round in rounds))
            p99 = _spread([a_round[case]["p99_ms"] for a_round in rounds])
        lines.append(f"| {case} | {rps} | {p50} | {p99} |")
    return "\n".join(lines)


def commands_table(rounds: Sequence[Round]) -> str:
    """One line a command, in seconds; nothing when none was measured."""
    lines = ["| command | s (range) |", "| --- | ---: |"]
    for case in dict.fromkeys(case for a_round in rounds for case in a_round):
        seconds = [a_round[case]["s"] for a_round in rounds if "s" in a_round.get(case, {})]
        if seconds:
            lines.append(f"| {case} | {_spread(seconds)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def pauses_table(rounds: Sequence[Round]) -> str:
    """One line an endpoint: the kind of large request that keeps the loop longest."""
    lines = ["| endpoint | its longest pause, ms (range) | with |", "| --- | ---: | --- |"]
    worst: dict[str, tuple[float, str]] = {}
    for case in rounds[0].get("pauses", {}):
        endpoint, _, kind = case.partition(", ")
        value = median(a_round["pauses"][case] for a_round in rounds)
        if kind and value > worst.get(endpoint, (0.0, ""))[0]:
            worst[endpoint] = value, kind
    for endpoint, (_, kind) in worst.items():
        values = [a_round["pauses"][f"{endpoint}, {kind}"] for a_round in rounds]
        lines.append(f"| {endpoint} | {_spread(values)} | {kind} |")
    return "\n".join(lines) if worst else ""


def goals_table(outcomes: Sequence[Outcome]) -> str:
    """One line a goal: what was aimed at, what was measured, and whether it was met."""
    lines = [
        "| | goal | measured (range) | | at the speed of the goals |",
        "| --- | ---: | ---: | --- | ---: |",
    ]
    for outcome in outcomes:
        goal = outcome.goal
        aim = f"{'≤' if goal.at_most else '≥'} {goal.bound:g} {goal.unit}"
        verdict = "met" if outcome.met else "**missed**"
        scaled = ""
        if medians := outcome.medians_at_its_speed:
            verdicts = {True: "met", False: "**missed**", None: "can't be told"}
            span = "–".join(dict.fromkeys(map(_figure, (medians[0], medians[-1]))))
            scaled = f"{span} {goal.unit}, {verdicts[outcome.met_at_its_speed]}"
        measured = f"{_spread(outcome.values)} {goal.unit}"
        lines.append(f"| {goal.name} | {aim} | {measured} | {verdict} | {scaled} |")
    return "\n".join(lines)


def speed_of_this_machine(rounds: Sequence[Round], outcomes: Sequence[Outcome]) -> str:
    """Two sentences, when something was scaled by it."""
    parts = [
        f"{_spread([speed(a_round, limit) for a_round in rounds])} × for {limit}"
        for limit in REFERENCE
        if limit in rounds[0]
    ]
    if not any(outcome.scaled for outcome in outcomes):
        return ""
    return (
        "The speed of this machine, beside the one that the goals were set on: "
        f"{', '.join(parts)}. What is no ratio is also given at that one's speed, from the kindest "
        "of the limits to the least kind."
    )


def summary(rounds: Sequence[Round], outcomes: Sequence[Outcome], seconds: float, bulk: int) -> str:
    """The tables, below one line on where and when."""
    here = machine()
    about = (
        f"{datetime.now(UTC).date().isoformat()}, {here['cores']} cores ({here['architecture']}), "
        f"Python {here['python']}; rounds: {len(rounds)}, of {seconds:g} s a case; the large "
        f"database holds {bulk:,} users and sessions more than the small one."
    )
    parts = (
        about,
        speed_of_this_machine(rounds, outcomes),
        goals_table(outcomes),
        cases_table(rounds),
        pauses_table(rounds),
        commands_table(rounds),
    )
    return "\n\n".join(filter(None, parts))


def replace_results(document: Path, text: str) -> None:
    """Put the results between the two marks of a document."""
    before, start, rest = document.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{document} has no {START} and {END}")
    document.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return _figure(values[0])
    return f"{_figure(median(values))} ({_figure(min(values))}–{_figure(max(values))})"


def _figure(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }


def write_json(
    path: Path, rounds: Sequence[Round], outcomes: Sequence[Outcome], seconds: float
) -> None:
    document = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "seconds_a_case": seconds,
        "goals": [
            {
                "name": outcome.goal.name,
                "goal": outcome.goal.bound,
                "at_most": outcome.goal.at_most,
                "unit": outcome.goal.unit,
                "values": outcome.values,
                "median": outcome.median,
                "met": outcome.met,
                "at_the_speed_of_the_goals": outcome.scaled,
                "met_at_that_speed": outcome.met_at_its_speed,
            }
            for outcome in outcomes
        ],
        "limits_where_the_goals_were_set": REFERENCE,
        "rounds": rounds,
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def draw_timelines(path: Path, timelines: Sequence[Timeline]) -> None:
    """Each read as a dot, at the time it was asked and as high as it took."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "authkit"  # the same data give the same file
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        len(timelines), 1, sharex=True, sharey=True, figsize=(9, 3 * len(timelines)), squeeze=False
    )
    for panel, timeline in zip(panels[:, 0], timelines, strict=True):
        seconds, milliseconds = zip(*timeline.points, strict=True)
        # Thousands of dots as paths would make a file of megabytes.
        panel.scatter(seconds, milliseconds, s=3, linewidths=0, alpha=0.5, rasterized=True)
        panel.axvspan(timeline.storm_starts, timeline.storm_ends, color="tab:red", alpha=0.12)
        panel.axhline(10, color="tab:gray", linewidth=0.8, linestyle="--")
        panel.set(yscale="log", ylabel="ms", title=f"{timeline.clients} clients signing in (red)")
    panels[-1, 0].set_xlabel("seconds")
    figure.suptitle("GET /api/users/me: how long each read took")
    figure.tight_layout()
    figure.savefig(path, dpi=150, metadata={"Date": None, "Creator": None})
    plt.close(figure)
