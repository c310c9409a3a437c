"""`authkit user events`: what happened to an account."""

from typing import Annotated, Any

import typer

from authkit.commands.user.shared import Email
from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.options import JsonOption, ProjectOption


def events(
    email: Email,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Skip this many.")] = 0,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """List what happened to an account, the latest first, for 90 days.

    Examples:

      authkit user events ada@example.com
      authkit user events ada@example.com --json | jq -r '.events[].ipAddress'
    """
    options = ("--limit", str(limit), "--offset", str(offset))
    page = Project.find(project).manage("user", "events", *options, operands=[email])
    if json:
        console.print_json(page)
        return
    tables.table(
        ("when", "event", "address", "by", "details", "device"),
        [row(event) for event in page["events"]],
    )
    shown = len(page["events"])
    if shown < page["total"]:
        console.message(f"{shown} of {page['total']} events; --offset {offset + shown} goes on")


def row(event: dict[str, Any]) -> tuple[Any, ...]:
    details = ", ".join(f"{name} {value}" for name, value in event["details"].items())
    return (
        tables.moment(event["createdAt"]),
        event["event"],
        event["ipAddress"],
        event["actor"],
        details or None,
        event["userAgent"],
    )
