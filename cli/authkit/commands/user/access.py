"""`authkit user activate`, `deactivate`, `set-role` and `set-password`: what a user may do."""

from typing import Annotated

import typer

from authkit.commands.user.shared import (
    ROLES,
    Email,
    PasswordStdin,
    manage_with_password,
    show_user,
)
from authkit.project.project import Project
from authkit.terminal.options import JsonOption, ProjectOption, YesOption, confirm_or_stop


def activate(email: Email, project: ProjectOption = None, json: JsonOption = False) -> None:
    """Let a deactivated user sign in again.

    Examples:

      authkit user activate ada@example.com
    """
    show_user(Project.find(project).manage("user", "activate", operands=[email]), as_json=json)


def deactivate(
    email: Email, project: ProjectOption = None, yes: YesOption = False, json: JsonOption = False
) -> None:
    """Lock a user out, from the next request on.

    Examples:

      authkit user deactivate ada@example.com
      authkit user deactivate ada@example.com --yes
    """
    target = Project.find(project)
    confirm_or_stop(f"Lock {email} out?", yes=yes)
    show_user(target.manage("user", "deactivate", operands=[email]), as_json=json)


def set_role(
    email: Email,
    role: Annotated[
        str,
        typer.Argument(metavar="ROLE", help="user or admin.", autocompletion=lambda: ROLES),
    ],
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Change what a user may do.

    Examples:

      authkit user set-role ada@example.com admin
    """
    user = Project.find(project).manage("user", "set-role", operands=[email, role])
    show_user(user, as_json=json)


def set_password(
    email: Email,
    password_stdin: PasswordStdin = False,
    project: ProjectOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Give a user a new password, generated and printed once, and end every session.

    Examples:

      authkit user set-password ada@example.com
      authkit user set-password ada@example.com --password-stdin < password.txt
    """
    target = Project.find(project)
    confirm_or_stop(f"Replace the password of {email} and sign them out everywhere?", yes=yes)
    user = manage_with_password(target, "set-password", email, [], password_stdin)
    show_user(user, as_json=json)
