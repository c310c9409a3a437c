"""`authkit openapi`: the contract of the API, and whether a change of it breaks clients."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from authkit.project import contract_file
from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.errors import FAILED, AuthkitError, UsageError
from authkit.terminal.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from authkit.contract.change import Change


def openapi(
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 if openapi.json is not up to date.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show the changes; exit 1 if one breaks clients.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Write openapi.json; commit it.")] = False,
    against: Annotated[
        str,
        typer.Option(
            metavar="COMMIT|FILE",
            help="With --diff: the contract to compare with.",
        ),
    ] = "HEAD",
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Print the OpenAPI document of the API, keep it in openapi.json, and compare.

    It reads the document from the code, without a server or a database. A change breaks clients if
    the API refuses what they send, or if something that they read is missing or new to them: a
    removed field, another required input, a narrower value. The rules are those of oasdiff. It does
    not compare a deployment's name and address (`info` and `servers`).

    Examples:

      authkit openapi --check                      in CI: is openapi.json up to date?
      authkit openapi --diff                       since the last commit
      authkit openapi --diff --against origin/main  in CI: would this branch break clients?
      authkit openapi --write && git add openapi.json
    """
    if sum((check, diff, write)) > 1:
        raise UsageError("--check, --diff and --write are three questions", "ask one at a time")
    target = Project.find(project)
    if write:
        wrote = contract_file.write(target)
        console.success(f"{contract_file.NAME} {'written' if wrote else 'is up to date'}.")
    elif check:
        require_up_to_date(target)
    elif diff:
        show_changes(baseline(target, against), contract_file.current(target), as_json=json)
    else:
        console.print_json(contract_file.current(target))


def require_up_to_date(project: Project) -> None:
    from authkit.contract.change import contract_of

    kept = contract_file.kept(project)
    if kept is None:
        raise AuthkitError(f"there is no {contract_file.NAME}", contract_file.WRITE)
    if contract_of(kept) != contract_of(contract_file.current(project)):
        raise AuthkitError(
            f"{contract_file.NAME} is not what the API says",
            f"see what changed: authkit openapi --diff; keep it: {contract_file.WRITE}",
        )
    console.success(f"{contract_file.NAME} is up to date.")


def baseline(project: Project, against: str) -> dict[str, Any]:
    """The contract of a file or a commit."""
    if Path(against).is_file():
        return contract_file.in_file(Path(against))
    found = contract_file.committed(project, against)
    if found is None:
        raise AuthkitError(f"{against} has no {contract_file.NAME}", contract_file.WRITE)
    return found


def show_changes(old: dict[str, Any], new: dict[str, Any], *, as_json: bool) -> None:
    from authkit.contract.compare import compare

    changes = compare(old, new)
    if as_json:
        console.print_json([change.as_json() for change in changes])
    else:
        tables.table(("kind", "where", "what", "rule"), [row(change) for change in changes])
        console.message(verdict(changes))
    if any(change.is_breaking for change in changes):
        raise typer.Exit(FAILED)


def row(change: "Change") -> tuple[str, ...]:
    return "breaking" if change.is_breaking else "", change.where, change.what, change.rule


def verdict(changes: "list[Change]") -> str:
    count = sum(change.is_breaking for change in changes)
    if count:
        return f"{count} of {len(changes)} changes break clients."
    return "No change breaks clients." if changes else "Nothing changed."
