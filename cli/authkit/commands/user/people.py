"""`authkit user create`, `list`, `show`, `delete` and `export`: who is there."""

from typing import Annotated

import typer

from authkit.commands.user.shared import (
    Email,
    PasswordStdin,
    Role,
    manage_with_password,
    show_user,
    state,
)
from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.errors import UsageError
from authkit.terminal.options import JsonOption, ProjectOption, YesOption, confirm_or_stop
from authkit.terminal.safe_text import safe


def create(
    email: Email,
    name: Annotated[str, typer.Option(help="What to call the user.")] = "",
    role: Role = "user",
    password_stdin: PasswordStdin = False,
    invite: Annotated[
        bool, typer.Option("--invite", help="Mail a link to set the password, good for 7 days.")
    ] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Make a user, with a generated password that is printed once, or by invitation.

    With --invite nobody sees a password: the user sets one through a link in a mail. The running
    API sends the mail within seconds, or prints it in development without SMTP_HOST.

    Examples:

      authkit user create ada@example.com --name "Ada Lovelace" --invite
      authkit user create root@example.com --role admin
      authkit user create ada@example.com --password-stdin < password.txt
    """
    if invite and password_stdin:
        raise UsageError("--invite sets no password", "leave --password-stdin out")
    options = [f"--role={role}", *([f"--name={name}"] if name else [])]
    options += ["--invite"] if invite else []
    user = manage_with_password(Project.find(project), "create", email, options, password_stdin)
    show_user(user, as_json=json)


def list_users(
    search: Annotated[
        str, typer.Option(metavar="TEXT", help="Only users with this in their address or name.")
    ] = "",
    role: Annotated[str, typer.Option(metavar="ROLE", help="Only users, or only admins.")] = "",
    active: Annotated[
        bool | None,
        typer.Option("--active/--inactive", help="Only users who may sign in, or may not."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Skip this many.")] = 0,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """List the users.

    Examples:

      authkit user list
      authkit user list --search @example.com --inactive
      authkit user list --limit 20 --offset 40
      authkit user list --json | jq -r '.users[].email'
    """
    options = [f"--limit={limit}", f"--offset={offset}"]
    options += [f"--search={search}"] if search else []
    options += [f"--role={role}"] if role else []
    options += [] if active is None else ["--active" if active else "--no-active"]
    page = Project.find(project).manage("user", "list", *options)
    if json:
        console.print_json(page)
        return
    tables.table(
        ("email", "role", "state", "created", "name"),
        [
            (u["email"], u["role"], state(u), tables.moment(u["createdAt"]), u["name"])
            for u in page["users"]
        ],
    )
    shown = len(page["users"])
    if shown < page["total"]:
        console.message(f"{shown} of {page['total']} users; --offset {offset + shown} goes on")


def show(email: Email, project: ProjectOption = None, json: JsonOption = False) -> None:
    """Show one user.

    Examples:

      authkit user show ada@example.com
    """
    show_user(Project.find(project).manage("user", "show", operands=[email]), as_json=json)


def delete(
    email: Email, project: ProjectOption = None, yes: YesOption = False, json: JsonOption = False
) -> None:
    """Delete a user and all their data for good. A mail says goodbye.

    Examples:

      authkit user export ada@example.com > ada.json && authkit user delete ada@example.com
    """
    target = Project.find(project)
    confirm_or_stop(f"Delete {email} for good, with everything of theirs?", yes=yes)
    answer = target.manage("user", "delete", operands=[email])
    if json:
        console.print_json(answer)
    else:
        console.success(f"{safe(answer['deleted'])} is deleted")


def export(email: Email, project: ProjectOption = None, json: JsonOption = False) -> None:
    """Print all stored data of a user, as JSON with or without --json.

    Examples:

      authkit user export ada@example.com > ada.json
    """
    console.print_json(Project.find(project).manage("user", "export", operands=[email]))
