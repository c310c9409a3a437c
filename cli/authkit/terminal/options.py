"""Options that several commands share, so that each is spelled and explained once."""

from pathlib import Path
from typing import Annotated

import typer

from authkit.terminal import console
from authkit.terminal.errors import AuthkitError


def _inherit_project(ctx: typer.Context, value: Path | None) -> Path | None:
    """`authkit --project DIR info` means what `authkit info --project DIR` means."""
    return value or (ctx.parent.params.get("project") if ctx.parent else None)


ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="The project, if it is not the current directory or above it.",
        show_default=False,
        callback=_inherit_project,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm_or_stop(question: str, *, yes: bool) -> None:
    """Before a destructive command: go on only when the person agrees (`console.confirm`)."""
    if not yes and not console.confirm(question):
        raise AuthkitError("stopped; nothing was changed")
