"""`authkit migrate`: the database's schema, through the project's own Alembic."""

import re
import subprocess
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from authkit.project import database_copy
from authkit.project.outcome import in_our_words, reason_of
from authkit.project.project import Project
from authkit.project.setting_sources import from_environment, told
from authkit.project.system import in_environment
from authkit.terminal import console, tables
from authkit.terminal.errors import AuthkitError, UsageError
from authkit.terminal.options import JsonOption, ProjectOption, YesOption, confirm_or_stop

# A line of `alembic history --indicate-current`: "0001 -> 0002 (head) (current), add notes".
HISTORY_LINE = re.compile(
    r"^(?P<down>\S.*?) -> (?P<id>[^\s,]+)(?P<marks>(?: \([^)]*\))*)(?:, (?P<message>.*))?$"
)
JOIN = 'python -m alembic merge heads -m "merge"'
DRIFT = "New upgrade operations detected"


@dataclass(frozen=True)
class Revision:
    """One migration, and where the database and the project stand."""

    id: str
    message: str
    is_current: bool
    is_head: bool

    def as_json(self) -> dict[str, str]:
        return {"revision": self.id, "message": self.message}


def migrate(
    to: Annotated[
        str,
        typer.Option(metavar="REVISION", help="Stop at this revision; an earlier one goes back."),
    ] = "head",
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if there is something to do.")
    ] = False,
    project: ProjectOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Bring the database's schema up to date.

    If a migration fails, nothing is changed. On SQLite it first copies the file to
    app.db.backup-<time> beside it, and keeps the last three copies.

    Examples:

      authkit migrate
      authkit migrate --check            in a deployment, before the switch
      authkit migrate --to base          back to an empty database
    """
    target = Project.find(project)
    if "DATABASE_URL" in from_environment(target):
        console.warning(told(["DATABASE_URL"]))
    revisions = history(target)
    if check:
        report_pending(target, revisions, as_json=json)
        return
    here, there = position(revisions), index_of(revisions, to)
    if there < here:
        lost = there + 1
        confirm_or_stop(f"Take back {here - lost + 1} migration(s), with their data?", yes=yes)
    backup = move(target, revisions, here, there)
    report_move(revisions, here, there, backup, as_json=json)


def history(project: Project) -> list[Revision]:
    """Every migration, the oldest first."""
    result = alembic(project, "history", "--indicate-current")
    matches = map(HISTORY_LINE.match, result.stdout.splitlines())
    found = [
        Revision(
            id=match["id"],
            message=match["message"] or "",
            is_current="(current)" in match["marks"],
            is_head="(head)" in match["marks"],
        )
        for match in matches
        if match
    ]
    heads = [revision.id for revision in found if revision.is_head]
    if len(heads) > 1:
        raise AuthkitError(
            f"the migrations end in {len(heads)} heads: {', '.join(heads)}",
            f"join them, in the project: {in_environment(JOIN)}",
        )
    return found[::-1]


def position(revisions: list[Revision]) -> int:
    """The index of the database's revision; -1 for an empty database."""
    return next((i for i, revision in enumerate(revisions) if revision.is_current), -1)


def index_of(revisions: list[Revision], wanted: str) -> int:
    """The index of `head`, `base` or a revision, which may be shortened while it is unique."""
    if wanted == "base":
        return -1
    if wanted == "head":
        return len(revisions) - 1
    exact = [i for i, revision in enumerate(revisions) if revision.id == wanted]
    found = exact or [i for i, r in enumerate(revisions) if r.id.startswith(wanted)]
    if len(found) != 1:
        known = ", ".join(revision.id for revision in revisions)
        problem = "several revisions start" if found else "no revision starts"
        raise UsageError(f"{problem} with {wanted!r}", f"there are base, head and {known}")
    return found[0]


def move(project: Project, revisions: list[Revision], here: int, there: int) -> str | None:
    """Migrate; returns where a copy of the database as it was has been kept."""
    if here == there:
        return None
    backup = database_copy.keep(project, console)
    goal = revisions[there].id if there >= 0 else "base"
    with console.step(f"Migrate to {goal}"):
        alembic(project, "upgrade" if there > here else "downgrade", goal)
    return backup


def report_move(
    revisions: list[Revision], here: int, there: int, backup: str | None, *, as_json: bool
) -> None:
    applied = revisions[here + 1 : there + 1]
    reverted = revisions[there + 1 : here + 1][::-1]
    if as_json:
        console.print_json(
            {
                "from": id_at(revisions, here),
                "to": id_at(revisions, there),
                "applied": [revision.as_json() for revision in applied],
                "reverted": [revision.as_json() for revision in reverted],
                "backup": backup,
            }
        )
        return
    if here == there:
        console.success(f"The database is at {id_at(revisions, there) or 'base'} already.")
        return
    tables.table(
        ("revision", "became", "what it does"),
        [(r.id, "applied", r.message) for r in applied]
        + [(r.id, "reverted", r.message) for r in reverted],
    )


def report_pending(project: Project, revisions: list[Revision], *, as_json: bool) -> None:
    """`--check`: what `migrate` would do, or what the models have that no migration makes."""
    pending = revisions[position(revisions) + 1 :]
    drift = not pending and drifted(project)
    if as_json:
        report: dict[str, Any] = {
            "current": id_at(revisions, position(revisions)),
            "head": id_at(revisions, len(revisions) - 1),
            "pending": [revision.as_json() for revision in pending],
            "drift": drift,
        }
        console.print_json(report)
    elif pending:
        tables.table(("pending", "what it does"), [(r.id, r.message) for r in pending])
    if pending:
        raise AuthkitError(f"{len(pending)} migration(s) to apply", "authkit migrate")
    if drift:
        raise AuthkitError(
            "the models have changes that no migration makes",
            in_environment('python -m alembic revision --autogenerate -m "what changed"'),
        )
    console.success("The schema is up to date.")


def drifted(project: Project) -> bool:
    result = project.run(["-m", "alembic", "check"])
    if result.returncode and DRIFT not in result.stdout + result.stderr:
        raise explained(project, result, "check")
    return bool(result.returncode)


def id_at(revisions: list[Revision], index: int) -> str | None:
    return revisions[index].id if index >= 0 else None


def alembic(project: Project, *args: str) -> subprocess.CompletedProcess[str]:
    result = project.run(["-m", "alembic", *args])
    if result.returncode:
        raise explained(project, result, " ".join(args))
    return result


def explained(
    project: Project, result: subprocess.CompletedProcess[str], command: str
) -> AuthkitError:
    """Alembic fails with a traceback; the project's own check knows the reason and the fix."""
    for finding in project.manage("check"):
        if finding["severity"] == "error" and finding["id"] != "migrations":
            return AuthkitError(finding["message"], in_our_words(finding["fix"]))
    hint = f"see all of it, in the project: {in_environment(f'python -m alembic {command}')}"
    return AuthkitError(f"Alembic failed: {reason_of(result)}", hint)
