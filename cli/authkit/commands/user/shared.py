"""What the commands of `authkit user` share: arguments, passwords, and how a user is shown."""

import sys
from typing import Annotated, Any

import typer

from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.errors import UsageError

ROLES = ["user", "admin"]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]
Role = Annotated[
    str, typer.Option(metavar="ROLE", help="user or admin.", autocompletion=lambda: ROLES)
]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input."),
]


def manage_with_password(
    project: Project, action: str, email: str, options: list[str], password_stdin: bool
) -> dict[str, Any]:
    """Call `app.manage user`, handing a password over by standard input, never by argument."""
    password = None
    if password_stdin:
        options = [*options, "--password-stdin"]
        password = read_password()
    user: dict[str, Any] = project.manage(
        "user", action, *options, operands=[email], input=password
    )
    return user


def read_password() -> str:
    """The first line of standard input; in a terminal it is asked for and not shown."""
    try:
        if sys.stdin.isatty():
            from getpass import getpass

            password = getpass("Password: ")
        else:
            password = sys.stdin.readline().rstrip("\r\n")
        password.encode()  # in some locales, bytes that are no text arrive as lone surrogates
    except UnicodeError:
        raise UsageError("the password is not UTF-8") from None
    if not password:
        raise UsageError("standard input held no password", "authkit user … < password.txt")
    return password + "\n"


def state(user: dict[str, Any]) -> str:
    return "active" if user["isActive"] else "inactive"


def show_user(user: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.print_json(user)
        return
    fields = {
        "email": user["email"],
        "name": user["name"],
        "role": user["role"],
        "state": state(user),
        "created": tables.moment(user["createdAt"]),
        "id": user["id"],
    }
    if "sessions" in user:
        fields["sessions"] = user["sessions"]
    if "password" in user:
        fields["password"] = user["password"]
    tables.record(fields)
    if "password" in user:
        console.message("The password is shown only now.", style="dim")
    if "invited" in user:
        console.message("The API mails a link to set the password; in development it prints it.")
