"""`authkit user create`, `list` and `show`: who is there."""

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
from authkit.terminal.options import JsonOption, ProjectOption


def create(
    email: Email,
    name: Annotated[str, typer.Option(help="What to call the user.")] = "",
    role: Role = "user",
    password_stdin: PasswordStdin = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Make a user, with a generated password that is printed once.

    Examples:

      authkit user create ada@example.com --name "Ada Lovelace"
      authkit user create root@example.com --role admin
      authkit user create ada@example.com --password-stdin < password.txt
    """
    options = [f"--role={role}", *([f"--name={name}"] if name else [])]
    user = manage_with_password(Project.find(project), "create", email, options, password_stdin)
    show_user(user, as_json=json)


def list_users(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="How many to pass over.")] = 0,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """List the users.

    Examples:

      authkit user list
      authkit user list --limit 20 --offset 40
      authkit user list --json | jq -r '.users[].email'
    """
    page = Project.find(project).manage(
        "user", "list", "--limit", str(limit), "--offset", str(offset)
    )
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
