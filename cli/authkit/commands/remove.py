"""`authkit remove`: a part less."""

from typing import Annotated

import typer

from authkit.commands.changed_parts import change_part
from authkit.terminal.options import JsonOption, ProjectOption


def remove(
    part: Annotated[
        str, typer.Argument(help="The part's name; a wrong one lists the known parts.")
    ],
    drop_data: Annotated[
        bool, typer.Option("--drop-data", help="Write a migration that drops the part's tables.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Merge beside the project and show what would change.")
    ] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a part from the project: its endpoints, tests and page.

    Its tables stay, with the migration that made them, unless you say --drop-data. A file of the
    part that you changed is a conflict: it stays until you decide. The rest works as in `authkit
    add`: the result is staged, not committed. Exits with 4 when there are conflicts to resolve.

    Examples:

      authkit remove sessions --dry-run   the files that would go
      authkit remove sessions
    """
    change_part(project, "remove", part, dry_run=dry_run, json=json, drop_data=drop_data)
