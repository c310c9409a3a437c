"""`authkit update`: bring a project to a newer version of its template."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.errors import CONFLICTS, UPDATE_AVAILABLE, AuthkitError
from authkit.terminal.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from authkit.update.report import Report
    from authkit.update.versions import Versions


def update(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 3 if there is an update.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Merge beside the project and show what would change.")
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="Update to this version, not to the newest.",
            show_default=False,
        ),
    ] = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Bring the project to this authkit's version of the template, and keep what you changed.

    Works offline. It merges files as git merges branches. If the template has moved something, your
    edits and imports follow. Then it updates the environment, migrates the database (it asks first,
    and never in production) and runs the tests. The result is staged, not committed. Exits with 4
    when there are conflicts to resolve.

    Examples:

      authkit update --check          in a scheduled job: exit 3 when there is an update
      authkit update --dry-run        what would change, and why
      authkit update
    """
    from authkit.update import upgrade
    from authkit.update.versions import versions_of

    target = Project.find(project)
    versions = versions_of(target, to)
    if check:
        show_check(versions, as_json=json)
    elif not versions.is_update:
        show_up_to_date(versions, as_json=json)
    elif dry_run:
        with upgrade.prepared(target, versions) as (report, _):
            show(report, as_json=json, tense="would be ")
    else:
        report = upgrade.update(target, versions, console)
        show(report, as_json=json, tense="")
        end(report)


def show_check(versions: "Versions", *, as_json: bool) -> None:
    if as_json:
        answer = {
            "current": versions.current,
            "latest": versions.target,
            "updateAvailable": versions.is_update,
        }
        console.print_json(answer)
    elif versions.is_update:
        print(f"{versions.target} is available; the project is at {versions.current}")
    else:
        print(f"up to date: {versions.current}")
    if versions.is_update:
        raise typer.Exit(UPDATE_AVAILABLE)


def show_up_to_date(versions: "Versions", *, as_json: bool) -> None:
    from authkit.update.report import Report

    if as_json:
        console.print_json(Report(versions).as_json())
    else:
        console.success(f"The project is at {versions.current} already.")


def show(report: "Report", *, as_json: bool, tense: str) -> None:
    """Everything that the update means for the owner."""
    if as_json:
        console.print_json(report.as_json())
        return
    console.message(f"\n{report.title}\n", style="bold")
    if tense and report.changelog:
        for line in re.sub(r"\n +(?=[^\s-])", " ", report.changelog).splitlines():
            console.message(line)
        console.message("")
    rows = [(tense + change.kind, change.path, change.note) for change in report.changes]
    tables.changes(("change", "file", "note"), sorted(rows))
    for said, names in (
        ("imports rewritten in", report.imports_rewritten),
        ("your section went along", report.sections_moved),
        ("no longer needed, so taken back: your edit of", report.settled),
        ("look at", report.look_at),
    ):
        for name in names:
            console.message(f"{said}: {name}")
    for name, default in report.new_settings.items():
        console.message(f"new setting, in .env.example: {name}={default}")
    show_before_you_deploy(report)
    show_contract(report)
    if report.left_to_do:
        console.message("\nLeft to do:", style="bold")
        for step in [*report.left_to_do, f"or take it all back: {report.undo}"]:
            console.message(f"  {step}", whole=True)


def show_before_you_deploy(report: "Report") -> None:
    """What nobody would notice before the application runs with the owner's settings."""
    if not (report.gone_settings or report.behaviour):
        return
    console.message("\nBefore you deploy:", style="bold")
    for name, what in report.gone_settings.items():
        console.message(f"  {name}: {what}")
    for sentence in report.behaviour:
        console.message(f"  {sentence}")


def show_contract(report: "Report") -> None:
    """Which clients break; what else changed in openapi.json, its diff shows."""
    broken = [change for change in report.contract if change.is_breaking]
    if broken:
        console.message("\nClients that were made from openapi.json break:", style="bold")
    for change in broken:
        console.message(f"  {change.where}: {change.what}")


def end(report: "Report") -> None:
    """The exit code: conflicts before anything else."""
    if report.conflicts:
        names = ", ".join(report.conflicts)
        raise AuthkitError(
            f"conflicts in {names}",
            "both sides are in the files, between <<<<<<< and >>>>>>>, or where a note says so; "
            "take your pick",
            CONFLICTS,
        )
    if report.problem is not None:
        raise report.problem
    console.success(f"{report.outcome}; the changes are staged.")
