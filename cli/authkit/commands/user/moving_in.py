"""`authkit user import`: users of another system, from the part `import`."""

from pathlib import Path
from typing import Annotated

import typer

from authkit.project.project import Project
from authkit.terminal import console
from authkit.terminal.errors import AuthkitError
from authkit.terminal.options import JsonOption, ProjectOption

PART = "import"


def import_users(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="users.csv or users.jsonl.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and import nothing.")
    ] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Take users over from another system, with the passwords they have.

    All of a file or nothing; the first row that is wrong is named with its line. Who is there
    already stays as they are. The project's docs/import.md says which hashes are known.

    Examples:

      authkit user import users.csv --dry-run
      authkit user import users.csv
    """
    target = Project.find(project)
    if PART not in (target.parts() or ()):
        raise AuthkitError(
            "this project takes no users over: that is a part", f"authkit add {PART}"
        )
    options = ["--dry-run"] if dry_run else []
    answer = target.manage("user", "import", *options, operands=[str(file.absolute())])
    if json:
        console.print_json(answer)
        return
    count, there = answer["imported"], answer["thereAlready"]
    verb = "would be imported" if dry_run else "imported"
    console.success(f"{count:,} users {verb}; {there:,} were there already")
