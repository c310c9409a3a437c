"""Take the guards of resources out, one at a time, and see a test fail: `python -m tests.guards`.

A guard is what keeps people to their own: `user_id == user_id` in a query of an `app/*/records.py`,
and the line of a router that says who may. Takes some seconds for each; the exit code is 0 when
none can go unnoticed. `python -m tests.guards notes` asks one resource alone.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.defences import TESTS_FAILED, copy_of_project
from tests.helpers import ROOT

OWNER: Final = re.compile(r"([\w.]+\.user_id) == user_id\b")
"""The owner's filter; compared with itself it lets everybody through."""

WHO: Final = re.compile(r"^(Owner|Member|Admin) = (CurrentUser|AdminUser)$", re.MULTILINE)
WEAKER: Final = {"AdminUser": "CurrentUser", "CurrentUser": "AnyUser"}


@dataclass(frozen=True)
class Guard:
    resource: str
    file: str
    line: int
    text: str
    """The whole file without this guard."""

    @property
    def tests(self) -> list[str]:
        return [f"tests/{self.resource}", f"tests/api/test_{self.resource}.py"]


def guards(root: Path, resource: str) -> Iterator[Guard]:
    """Those of a resource, in the order in which they stand."""
    records = f"app/{resource}/records.py"
    code = (root / records).read_text(encoding="utf-8")
    for match in OWNER.finditer(code):
        yield without(resource, records, code, match, f"{match[1]} == {match[1]}")
    router = f"app/api/{resource}.py"
    code = (root / router).read_text(encoding="utf-8")
    for match in WHO.finditer(code):
        imported = f"from app.api.dependencies import {WEAKER[match[2]]}\nfrom app."
        guard = without(resource, router, code, match, f"{match[1]} = {WEAKER[match[2]]}")
        yield replace(guard, text=guard.text.replace("from app.", imported, 1))


def without(resource: str, file: str, code: str, match: re.Match[str], instead: str) -> Guard:
    line = code[: match.start()].count("\n") + 1
    return Guard(resource, file, line, code[: match.start()] + instead + code[match.end() :])


def resources(root: Path) -> list[str]:
    return sorted(records.parent.name for records in (root / "app").glob("*/records.py"))


def is_noticed(guard: Guard) -> bool:
    """Run the resource's tests on a copy of the project without the guard."""
    with tempfile.TemporaryDirectory() as scratch:
        project = copy_of_project(Path(scratch))
        (project / guard.file).write_text(guard.text, encoding="utf-8")
        options = ["-q", "-x", "--no-cov", "--numprocesses=0"]
        command = [sys.executable, "-m", "pytest", *options, *guard.tests]
        run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)  # noqa: S603
    failed = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
    noticed = run.returncode == TESTS_FAILED and bool(failed)
    report = failed[0].split(" - ")[0] if noticed else f"pytest exit {run.returncode}"
    print(f"{'ok  ' if noticed else 'MISS'} {guard.file}:{guard.line}: {report}", flush=True)
    return noticed


def main(names: Sequence[str]) -> int:
    chosen = [name for name in resources(ROOT) if not names or name in names]
    found = [guard for name in chosen for guard in guards(ROOT, name)]
    noticed = [guard for guard in found if is_noticed(guard)]
    print(f"{len(noticed)} of {len(found)} guards can not go unnoticed")
    return 0 if found and len(noticed) == len(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
