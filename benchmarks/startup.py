"""How long the command line takes: its start, and `authkit new` until the API answers."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.servers import AUTHKIT, api
from benchmarks.world import World, say

EMPTY_TYPER: Final = """
import typer
app = typer.Typer()
@app.command()
def main() -> None: ...
app()
"""

STARTS: Final = 11


def _encode(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def a_token() -> str:
    claims: dict[str, object] = {"iss": "app", "sub": "nobody", "iat": 0, "exp": 2**31}
    return f"{_encode({'alg': 'HS256', 'typ': 'at+jwt'})}.{_encode(claims)}.{'A' * 43}"


def measure_start(scratch: Path) -> dict[str, float]:
    """Seconds of each program, the median of interleaved starts."""
    commands = {
        "empty_typer": [sys.executable, "-c", EMPTY_TYPER],
        "authkit_help": [*AUTHKIT, "--help"],
        "authkit_token_decode": [*AUTHKIT, "token", "decode", "--no-verify", "-"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(
                command, input=a_token().encode(), cwd=scratch, capture_output=True, check=True
            )
            seconds[name].append(time.perf_counter() - started)
    return {name: median(values) for name, values in seconds.items()}


def measure_new(world: World, round_number: int) -> dict[str, float]:
    """Seconds of `authkit new` and `serve` until an answer, and of `uv sync` for the same project.

    Both start from a warm cache of packages, which the project under test has filled.
    """
    directory = world.options.scratch / f"new-{round_number}"
    directory.mkdir()
    synced = directory / "synced"
    synced.mkdir()
    shutil.copy(world.project / "pyproject.toml", synced)
    return {
        "uv_sync": _timed(lambda: _uv_sync(synced)),
        "authkit_new": _timed(lambda: _new_until_it_answers(directory / "made")),
    }


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _uv_sync(project: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    command = [sys.executable, "-m", "uv", "sync", "--python", sys.executable]
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)


def _new_until_it_answers(target: Path) -> None:
    command = [*AUTHKIT, "new", str(target), "--defaults"]
    subprocess.run(command, check=True, capture_output=True)
    with api(target, target.with_suffix(".log"), {}):
        pass


def measure_suite(world: World) -> float | None:
    """Seconds of the generated project's own suite on SQLite; None when it fails."""
    command = [*AUTHKIT, "test", "--project", str(world.project)]
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        say(f"the generated suite failed:\n{done.stdout.decode()[-1000:]}")
        return None
    return time.perf_counter() - started
