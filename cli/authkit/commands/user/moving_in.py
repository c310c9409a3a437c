"""`authkit user import`: users of another system, from the part `import`."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from authkit.project.outcome import answer_of
from authkit.project.project import Project
from authkit.terminal import console
from authkit.terminal.errors import AuthkitError
from authkit.terminal.options import JsonOption, ProjectOption

PART = "import"

PROGRESS = re.compile(r"[\d,]+ users")
"""How far it is, as the project says on its standard error."""


def import_users(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="users.csv or users.jsonl.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and import nothing.")
    ] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Import users from another system, with their passwords.

    It imports the whole file or nothing, and names the line of the first wrong row. Existing users
    stay as they are. The project's docs/import.md says which hashes are known.

    Examples:

      authkit user import users.csv --dry-run
      authkit user import users.csv
    """
    target = Project.find(project)
    if PART not in (target.parts() or ()):
        raise AuthkitError(
            "this project takes no users over: that is a part", f"authkit add {PART}"
        )
    answer = _import(target, ["--dry-run"] if dry_run else [], str(file.absolute()))
    if json:
        console.print_json(answer)
        return
    count, there = answer["imported"], answer["thereAlready"]
    verb = "would be imported" if dry_run else "imported"
    console.success(f"{count:,} users {verb}; {there:,} were there already")


def _import(target: Project, options: list[str], file: str) -> Any:
    """Ask the project, and show meanwhile how far it is."""
    command = ["user", "import", *options]
    arguments = ["-m", "app.manage", *command, "--json", "--", file]
    with target.started(arguments, subprocess.PIPE) as process:
        said = [line for line in process.stderr or () if not _show_progress(line.strip())]
        printed = process.stdout.read() if process.stdout else ""
    result = subprocess.CompletedProcess(arguments, process.returncode, printed, "".join(said))
    return answer_of(result, *command, operands=[file])


def _show_progress(line: str) -> bool:
    """Show a line that says how far it is; False when it says something else."""
    if not PROGRESS.fullmatch(line):
        return not line
    there = sys.stderr.isatty()
    sys.stderr.write(f"\r{line}\r" if there else f"{line}\n")
    sys.stderr.flush()
    return True
