"""`authkit add`: a part more."""

from typing import Annotated

import typer

from authkit.commands.changed_parts import change_part
from authkit.terminal.options import JsonOption, ProjectOption


def add(
    part: Annotated[
        str, typer.Argument(help="The part's name; a wrong one lists the known parts.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Merge beside the project and show what would change.")
    ] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Add a part to the project: its endpoints, tests, migration and page.

    It merges files as `authkit update` does, so your changes stay. Then it updates the environment,
    migrates the database (it asks first, and never in production) and runs the tests. The result is
    staged, not committed. Exits with 4 when there are conflicts to resolve.

    Examples:

      authkit add sessions --dry-run     the files that would come
      authkit add sessions
    """
    change_part(project, "add", part, dry_run=dry_run, json=json)
