"""Change the template's account code in every small way, and count what its tests notice.

`python scripts/mutants.py [FILE ...]`, for example `emails.py`; without a name all of
`app/accounts/`, which takes an hour on two cores. mutmut works in a scratch copy of the template:
`pip install -e .[mutants]`. What only a real server would notice (races, stops, the log of a
whole life) isn't asked, since mutmut changes this process.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TEMPLATE = Path(__file__).parent.parent / "template"
SURVIVED: Final = 0
"""pytest's exit code when no test failed."""

TESTS: Final = (
    *("tests/accounts", "tests/api", "tests/manage", "tests/test_hostile_input.py"),
    *("tests/foundation/http", "tests/foundation/limits", "tests/foundation/mail"),
)
OPTIONS: Final = ("--no-cov", "-n0", "-p", "no:cacheprovider")


def main(names: Sequence[str]) -> None:
    accounts = TEMPLATE / "app" / "accounts"
    if missing := [name for name in names if not list(accounts.glob(name))]:
        sys.exit(f"there is no {', '.join(missing)} in {accounts}")
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "project"
        shutil.copytree(TEMPLATE, project, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        shutil.copy(TEMPLATE / ".env.example", project)
        configure(project, names or ["*.py"])
        subprocess.run([sys.executable, "-m", "mutmut", "run"], cwd=project, check=True)
        report(project)


def configure(project: Path, names: Sequence[str]) -> None:
    (project / "pyproject.toml").unlink()
    pyproject = (project / "pyproject.toml.jinja").read_text()
    settings = {
        "source_paths": ["app"],
        "only_mutate": [f"app/accounts/{name}" for name in names],
        "also_copy": sorted(path.name for path in project.iterdir() if path.name != "app"),
        "pytest_add_cli_args": OPTIONS,
        "pytest_add_cli_args_test_selection": TESTS,
    }
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    pyproject = pyproject.replace("{{ project_name }}", "project")
    (project / "pyproject.toml").write_text(f"{pyproject}\n[tool.mutmut]\n{''.join(lines)}")


def report(project: Path) -> None:
    """Show the survivors, and of how many each file has been told from its mutants."""
    total: Counter[str] = Counter()
    for meta in sorted((project / "mutants/app/accounts").rglob("*.meta")):
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        survivors = [name for name, code in codes.items() if code == SURVIVED]
        for name in survivors:
            subprocess.run([sys.executable, "-m", "mutmut", "show", name], cwd=project, check=True)
        if codes:
            print(f"{meta.stem}: {len(codes) - len(survivors)} of {len(codes)} noticed")
        total.update(noticed=len(codes) - len(survivors), mutants=len(codes))
    share = total["noticed"] / total["mutants"]
    print(f"{total['noticed']} of {total['mutants']} noticed, {share:.0%}")


if __name__ == "__main__":
    main(sys.argv[1:])
