"""`authkit token create`, `list` and `revoke`: personal tokens, from the part `tokens`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.errors import AuthkitError
from authkit.terminal.options import JsonOption, ProjectOption, YesOption, confirm_or_stop
from authkit.terminal.safe_text import safe

PART = "tokens"

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]


def create(
    email: Email,
    name: Annotated[str, typer.Option(help="What it is for.")] = "made by an operator",
    days: Annotated[int, typer.Option(min=1, max=366, help="Its life in days.")] = 90,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Allow only GET and HEAD.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a personal token, with which a script acts as a user. It is printed only once.

    Examples:

      authkit token create ci@example.com --name "GitHub Actions" --read-only
      authkit token create ci@example.com > token.txt
    """
    options = [f"--name={name}", f"--days={days}", *(["--read-only"] if read_only else [])]
    made = _manage(project, "create", *options, operands=[email])
    if as_json:
        console.print_json(made)
        return
    print(made["token"])
    console.message(
        f"for {safe(made['email'])}, until {tables.moment(made['expiresAt'])}; shown only now",
        style="bright_black",
    )


def list_tokens(email: Email, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List the personal tokens of a user.

    Examples:

      authkit token list ada@example.com
    """
    answer = _manage(project, "list", operands=[email])
    if as_json:
        console.print_json(answer)
        return
    tables.table(
        ("id", "name", "begins with", "may", "last used", "expires"),
        [
            (
                token["id"],
                token["name"],
                token["prefix"],
                "read" if token["readOnly"] else "read and write",
                tables.moment(token["lastUsedAt"]) if token["lastUsedAt"] else "never",
                tables.moment(token["expiresAt"]),
            )
            for token in answer["tokens"]
        ],
    )


def revoke(
    email: Email,
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="The token's id, as `list` shows it.")
    ],
    project: ProjectOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a personal token, from the next request on.

    Examples:

      authkit token revoke ada@example.com 5f0c4a52-5d0c-4c0e-9a58-3c2f1d7e8b90
    """
    confirm_or_stop(f"End the token {token_id} of {email}?", yes=yes)
    answer = _manage(project, "revoke", operands=[email, token_id])
    if as_json:
        console.print_json(answer)
    else:
        console.success(f"token {safe(token_id)} ended")


def _manage(project: Path | None, action: str, *options: str, operands: list[str]) -> Any:
    """Ask the project, if it has the part."""
    target = Project.find(project)
    if PART not in (target.parts() or ()):
        raise AuthkitError(
            "this project has no personal tokens: they are a part",
            f"authkit add {PART}; a short-lived token: authkit token issue EMAIL",
        )
    return target.manage("token", action, *options, operands=operands)
