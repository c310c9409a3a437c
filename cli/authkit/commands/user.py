"""`authkit user`: the people in the project's database, as its operator sees them."""

import sys
from typing import Annotated, Any

import typer

from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.errors import UsageError
from authkit.terminal.options import JsonOption, ProjectOption, YesOption, confirm_or_stop

app = typer.Typer(
    no_args_is_help=True,
    help="""The users of the project: make, list, change, sign out.

    Examples:

      authkit user create ada@example.com --role admin
      authkit user list
      authkit user sessions ada@example.com
    """,
)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]
Role = Annotated[
    str, typer.Option(metavar="ROLE", help="user or admin.", autocompletion=lambda: ROLES)
]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input."),
]
ROLES = ["user", "admin"]


@app.command()
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


@app.command("list")
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


@app.command()
def show(email: Email, project: ProjectOption = None, json: JsonOption = False) -> None:
    """Show one user.

    Examples:

      authkit user show ada@example.com
    """
    show_user(Project.find(project).manage("user", "show", operands=[email]), as_json=json)


@app.command()
def activate(email: Email, project: ProjectOption = None, json: JsonOption = False) -> None:
    """Let a deactivated user sign in again.

    Examples:

      authkit user activate ada@example.com
    """
    show_user(Project.find(project).manage("user", "activate", operands=[email]), as_json=json)


@app.command()
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


@app.command("set-role")
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


@app.command("set-password")
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


@app.command()
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


@app.command()
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
