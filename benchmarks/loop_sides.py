"""The two commits that `benchmarks.loop` compares: a clone of each, and what it generates."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from tests.test_update import live_in, released

from benchmarks.load import LoadError
from benchmarks.project import scratch_database
from benchmarks.world import say

REPOSITORY: Final = Path(__file__).parents[1]
DATABASE_URL: Final = os.environ.get(
    "BENCHMARK_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)
REDIS_URL: Final = os.environ.get("BENCHMARK_REDIS_URL", "redis://127.0.0.1:6379/0")


@dataclass(frozen=True)
class Spent:
    """What a command and everything that it started took."""

    seconds: float
    cpu: float
    peak_mb: float
    """The most memory that one of its processes had (as Linux counts, in KiB)."""


def run(command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end; a failure ends the comparison and shows its last words."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read()[-3000:].decode(errors="replace")
            raise LoadError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    return Spent(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@dataclass
class Side:
    """One commit. What a row needs of it is made when it is first asked for."""

    scratch: Path
    stack: ExitStack

    @property
    def root(self) -> Path:
        return self.scratch / "authkit"

    @property
    def authkit(self) -> list[str]:
        return [str(self.root / ".venv/bin/python"), "-m", "authkit"]

    @classmethod
    def build(cls, scratch: Path, commit: str, stack: ExitStack) -> Self:
        """Clone the commit and install it, as from a package index, with what a benchmark needs."""
        say(f"build {commit}")
        side = cls(scratch, stack)
        scratch.mkdir()
        side.clone(REPOSITORY, side.root, commit)
        uv = [sys.executable, "-m", "uv", "--quiet"]
        run([*uv, "venv", "--python", sys.executable, ".venv"], side.root)
        run([*uv, "pip", "install", "--python", ".venv", ".[dev]"], side.root)
        return side

    @staticmethod
    def clone(source: Path, target: Path, commit: str) -> None:
        git = ["git", "-C", str(source), "rev-parse", "--verify", f"{commit}^{{commit}}"]
        found = subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
        run(["git", "clone", "--quiet", "--no-checkout", str(source), str(target)], source)
        run(["git", "checkout", "--quiet", "--detach", found], target)

    def fresh(self, name: str) -> Path:
        """A directory that is not there yet."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch)) / "myapi"

    @cached_property
    def project(self) -> Path:
        """On SQLite, with limits in memory."""
        target = self.fresh("sqlite")
        run([*self.authkit, "new", str(target), "--defaults"], self.scratch)
        return target

    @cached_property
    def on_servers(self) -> Path:
        """On PostgreSQL and Redis."""
        target = self.fresh("servers")
        url = self.stack.enter_context(scratch_database(DATABASE_URL))
        urls = {"AUTHKIT_DATABASE_URL": url, "AUTHKIT_REDIS_URL": REDIS_URL}
        run([*self.authkit, "new", str(target), "--defaults"], self.scratch, urls)
        return target

    @cached_property
    def with_feature(self) -> Path:
        """A project of 0.5.0 with its owner's feature and that one's tests, brought to this side.

        So both sides run the same file: what `authkit generate` writes today tests far more.
        """
        target = released("0.5.0", "--defaults", cwd=self.fresh("feature").parent)
        live_in(target)
        run([*self.authkit, "update"], target, {"PYTEST_ADDOPTS": "--markers"})
        return target

    @cached_property
    def earlier(self) -> Path:
        """An untouched project of the release before this side's, which both sides can update."""
        archives = [path.name.removesuffix(".tar.xz") for path in self.root.glob("releases/*.xz")]
        newest = max(archives, key=lambda version: [int(part) for part in version.split(".")])
        directory = self.fresh("earlier").parent
        return released(newest, "--defaults", cwd=directory)
