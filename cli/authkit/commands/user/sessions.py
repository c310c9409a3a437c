"""`authkit user sessions` and `revoke`: where a user is signed in, and the end of it."""

from typing import Annotated

import typer

from authkit.commands.user.shared import Email
from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.options import JsonOption, ProjectOption, YesOption, confirm_or_stop


def sessions(email: Email, project: ProjectOption = None, json: JsonOption = False) -> None:
    """List where a user is signed in.

    Examples:

      authkit user sessions ada@example.com
    """
    answer = Project.find(project).manage("user", "sessions", operands=[email])
    if json:
        console.print_json(answer)
        return
    tables.table(
        ("session", "last used", "expires", "address", "device"),
        [
            (
                session["id"],
                tables.moment(session["lastUsedAt"]),
                tables.moment(session["expiresAt"]),
                session["ipAddress"],
                session["userAgent"],
            )
            for session in answer["sessions"]
        ],
    )


def revoke(
    email: Email,
    session: Annotated[
        str, typer.Option(metavar="ID", help="Only this one, by the id that `sessions` shows.")
    ] = "",
    project: ProjectOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Sign a user out, everywhere or from one session.

    Examples:

      authkit user revoke ada@example.com
      authkit user revoke ada@example.com --session 5f0c4a52-5d0c-4c0e-9a58-3c2f1d7e8b90
    """
    target = Project.find(project)
    where = f"from session {session}" if session else "everywhere"
    confirm_or_stop(f"Sign {email} out {where}?", yes=yes)
    only = [f"--session={session}"] if session else []
    answer = target.manage("user", "revoke", *only, operands=[email])
    if json:
        console.print_json(answer)
    else:
        count = answer["revoked"]
        console.success(f"{count} session{'' if count == 1 else 's'} ended")
