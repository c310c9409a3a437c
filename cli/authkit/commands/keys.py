"""`authkit keys`: the secrets that sign and verify tokens."""

from typing import Annotated

import typer

from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.options import JsonOption, ProjectOption, YesOption, confirm_or_stop

app = typer.Typer(
    no_args_is_help=True,
    help="""The secrets that sign and verify tokens.

    After a rotation the new secret signs; the earlier ones verify until they are removed, so
    nobody is signed out.

    Examples:

      authkit keys list
      authkit keys rotate && systemctl restart myapi
    """,
)


def show(keys: list[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        console.print_json(keys)
    else:
        tables.table(("key id", "use"), [(key["kid"], key["use"]) for key in keys])


@app.command("list")
def list_keys(project: ProjectOption = None, json: JsonOption = False) -> None:
    """List the keys by their id; the secrets themselves are never shown.

    Examples:

      authkit keys list
      authkit keys list --json
    """
    show(Project.find(project).manage("keys", "list"), as_json=json)


@app.command()
def rotate(project: ProjectOption = None, yes: YesOption = False, json: JsonOption = False) -> None:
    """Sign with a new secret from the next start on; the present one goes on verifying.

    Examples:

      authkit keys rotate
      authkit keys rotate --yes
    """
    target = Project.find(project)
    confirm_or_stop("Write a new signing secret to .env?", yes=yes)
    show(target.manage("keys", "rotate"), as_json=json)
    console.message("Restart the server: running processes still sign with the old secret.")


@app.command()
def remove(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key id that `list` shows.")],
    project: ProjectOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Stop verifying with an earlier secret: the tokens that it signed are refused.

    Refresh tokens live for days; remove a secret after that, or at once when it has leaked.

    Examples:

      authkit keys remove 0123456789abcdef
    """
    target = Project.find(project)
    confirm_or_stop(f"Refuse every token that key {kid} signed?", yes=yes)
    show(target.manage("keys", "remove", operands=[kid]), as_json=json)
    console.message("Restart the server: running processes still accept the old secret.")
