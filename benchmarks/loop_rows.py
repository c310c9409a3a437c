"""The rows of `benchmarks.loop`: how each is measured, on one side, and what is aimed at."""

import json
import os
import re
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.projects import copy_of

from benchmarks.load import LoadError
from benchmarks.loop_sides import Side, Spent, run
from benchmarks.project import PASSWORD, PRODUCTION
from benchmarks.servers import Server

LONG, SHORT = 3, 5
REQUESTS: Final = 1000


@dataclass(frozen=True)
class Measured:
    value: float
    cpu: float | None = None
    """Seconds of all processes, which a busy machine changes less than those of the clock."""


@dataclass(frozen=True)
class Row:
    """`measure` here, divided by `measure` at the earlier commit, is to be at most `bound`."""

    what: str
    bound: float
    measure: Callable[[Side], Measured]
    unit: str = "s"
    pairs: int = SHORT
    at_least: bool = False
    needs_wrk: bool = False

    @property
    def warms_up(self) -> bool:
        """The first time fills caches; where that is a small part, it is measured like others."""
        return self.pairs == SHORT


def time_of(spent: Spent) -> Measured:
    return Measured(spent.seconds, spent.cpu)


def readme(side: Side) -> Measured:
    """In a fresh clone, as its reader types it."""
    clone = side.fresh("clone")
    side.clone(side.root, clone, "HEAD")
    text = (clone / "README.md").read_text(encoding="utf-8")
    command = found_in(text, r"<!-- test-command -->\n```sh\n(.+?)\n```")
    strict = {"AUTHKIT_REQUIRE_SERVICES": "1"}
    return time_of(run(["bash", "-euo", "pipefail", "-c", command], clone, strict))


def found_in(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.DOTALL)
    if found is None:
        raise LoadError(f"nothing looks like {pattern}")
    return found[1]


def ci(side: Side) -> Measured:
    return time_of(run([".ci/run"], side.root))


def suite(side: Side) -> Measured:
    return time_of(run([*side.authkit, "test"], side.project))


def suite_on_servers(side: Side) -> Measured:
    return time_of(run([*side.authkit, "test"], side.on_servers))


def one_file(side: Side) -> Measured:
    python = str(side.with_feature / ".venv/bin/python")
    command = [python, "-m", "pytest", "tests/api/test_notes.py", "--no-cov"]
    return time_of(run(command, side.with_feature))


def import_app(side: Side) -> Spent:
    return run([str(side.project / ".venv/bin/python"), "-c", "import app.main"], side.project)


def new(side: Side) -> Measured:
    """`authkit new` until the API answers: the seconds of both, the processor's of the first."""
    target = side.fresh("new")
    made = run([*side.authkit, "new", str(target), "--defaults"], side.scratch)
    started = time.perf_counter()
    with served(side, target, {}):
        return Measured(made.seconds + time.perf_counter() - started, made.cpu)


def update(side: Side) -> Measured:
    """An untouched project, with environment and migrations; its pytest only lists markers."""
    target = copy_of(side.earlier, side.fresh("update"), installs=True)
    return time_of(run([*side.authkit, "update"], target, {"PYTEST_ADDOPTS": "--markers"}))


def served(side: Side, project: Path, environment: dict[str, str]) -> Server:
    command = [*side.authkit, "serve", "--project", str(project), "--port", "{port}"]
    return Server(command, project, environment, project.with_suffix(".log"))


def memory(side: Side) -> Measured:
    """Megabytes that the one worker has in memory after a thousand mixed requests."""
    settings = {**PRODUCTION, "DATABASE_URL": "sqlite:///./app.db"}
    with served(side, side.project, settings) as server:
        mixed_requests(server)
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
    return Measured(int(found_in(status, r"VmRSS:\s+(\d+) kB")) / 1024)


def mixed_requests(server: Server) -> None:
    """Of fifty requests one registers, one signs in, four refresh; the others read."""
    for visit in range(REQUESTS // 50):
        email = f"{os.urandom(8).hex()}-{visit}@example.com"
        who = {"email": email, "password": PASSWORD}
        ask(server, "/api/auth/register", who)
        tokens = ask(server, "/api/auth/login", who)
        for _ in range(4):
            tokens = ask(server, "/api/auth/refresh", {"refreshToken": tokens["refreshToken"]})
        for _ in range(44):
            ask(server, "/api/users/me", token=tokens["accessToken"])


def ask(server: Server, path: str, body: object = None, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url(path), data, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def case(name: str, number: str) -> Callable[[Side], Measured]:
    """A case of `python -m benchmarks`, each side's own."""

    def measure(side: Side) -> Measured:
        with tempfile.TemporaryDirectory(dir=side.scratch) as directory:
            results = Path(directory) / "results.json"
            options = ["--rounds", "1", "--bulk", "1", "--no-startup", "--json", str(results)]
            command = [side.authkit[0], "-m", "benchmarks", "--only", name, *options]
            run(command, side.root)
            (only,) = json.loads(results.read_text(encoding="utf-8"))["rounds"]
        return Measured(only[name][number])

    return measure


ROWS: Final = {
    "start": Row("`import app.main`", 0.6, lambda side: time_of(import_app(side))),
    "peak": Row(
        "`import app.main`, peak memory",
        0.75,
        lambda side: Measured(import_app(side).peak_mb),
        "MB",
    ),
    "memory": Row("a worker after 1,000 mixed requests", 0.75, memory, "MB"),
    "file": Row("`pytest tests/api/test_notes.py --no-cov`", 0.5, one_file),
    "new": Row("`authkit new` until the API answers", 0.55, new),
    "update": Row("`authkit update`, untouched, without its tests", 0.6, update),
    "read": Row(
        "reads", 1.2, case("read", "rps"), "rps", pairs=LONG, at_least=True, needs_wrk=True
    ),
    "refresh": Row(
        "refreshes", 1.2, case("refresh", "rps"), "rps", pairs=LONG, at_least=True, needs_wrk=True
    ),
    "login": Row(
        "logins", 0.95, case("login", "rps"), "rps", pairs=LONG, at_least=True, needs_wrk=True
    ),
    "p99": Row(
        "p99 of reads while 8 sign in",
        0.7,
        case("read_storm_8", "p99_ms"),
        "ms",
        pairs=LONG,
        needs_wrk=True,
    ),
    "suite": Row("the generated suite, SQLite", 0.45, suite, pairs=LONG),
    "suite-servers": Row(
        "the generated suite, PostgreSQL and Redis", 0.5, suite_on_servers, pairs=LONG
    ),
    "readme": Row("the README's test command", 0.3, readme, pairs=LONG),
    "ci": Row("`.ci/run`", 0.35, ci, pairs=LONG),
}
