"""Updating a project to another version of its template, offline, from the installed wheel."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from authkit.project import environment
from authkit.project.project import Project
from authkit.project.repository import Repository
from authkit.template.render import Answers, render
from authkit.terminal.errors import AuthkitError
from authkit.terminal.screen import Screen
from authkit.terminal.signals import stop_signals_put_off, stop_signals_raised
from authkit.update import changelog, moves, released
from authkit.update.apply import apply, require_room
from authkit.update.clean import require_clean, undo_of
from authkit.update.follow_up import after_install, follow_up, install_command
from authkit.update.merge import Merge, merge
from authkit.update.moves import Moves
from authkit.update.report import Report
from authkit.update.scratch import Scratch, scratch_for
from authkit.update.versions import Versions

R = TypeVar("R", bound=Report)

SETTING_LINE: Final = re.compile(r"^#?\s?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def update(project: Project, versions: Versions, screen: Screen) -> Report:
    """Merge; then, unless a person has to resolve conflicts first, bring all else up to date."""
    require_clean(Repository(project.root))
    return carry_out(project, prepared(project, versions), screen)


def carry_out(
    project: Project, preparation: AbstractContextManager[tuple[R, Merge]], screen: Screen
) -> R:
    """Put what was prepared into the project; then, without conflicts, all that follows from it."""
    undo = undo_of(Repository(project.root))
    with (
        screen.step("merge"),
        preparation as (report, result),
        stop_signals_put_off(
            "interrupted after the merge, which is staged",
            f"look at it: git status; take it all back: {undo}",
        ),
    ):
        apply(result, Repository(project.root))
        report.undo = undo
    if report.conflicts:
        report.left_to_do = [
            "resolve the conflicts, then `git add` each file",
            *after_install(project),
        ]
        if any(change.path == environment.REQUIREMENTS for change in report.changes):
            report.left_to_do.insert(1, install_command(project))
    else:
        follow_up(project, report, screen)
    if Path.cwd().resolve() != project.root.resolve():
        report.left_to_do.insert(0, f"cd {shlex.quote(os.path.relpath(project.root))}")
    report.left_to_do.append("look at it: git diff --cached; keep it: git commit")
    return report


@contextmanager
def prepared(project: Project, versions: Versions) -> Iterator[tuple[Report, Merge]]:
    """Render both versions and merge, all beside the project; nothing of it is changed."""
    repository = Repository(project.root)
    require_clean(repository)
    try:
        with (
            stop_signals_raised("nothing was changed"),
            scratch_for(repository, versions.target) as scratch,
        ):
            before, after = (
                render_beside(scratch, project, version)
                for version in (versions.current, versions.target)
            )
            written = released.read(scratch, moves.MOVED)
            moved = moves.between(written, versions.current, versions.target)
            head = repository.line("rev-parse", "HEAD")
            first, last = map(versions.known.index, (versions.current, versions.target))
            between = versions.known[first + 1 : last]
            result = merge(scratch, head, before, after, moved, between=between)
            require_room(result, project.root)
            yield report_on(result, versions, before, after, moved), result
    except OSError as error:
        raise AuthkitError(
            f"the update can't be made: {error.strerror or error} ({error.filename})",
            "make room on the disk; `git status` shows whether anything was changed",
        ) from error


def render_beside(scratch: Scratch, project: Project, version: str) -> Path:
    """The untouched project of that version, with this project's answers."""
    directory = scratch.directory / "rendered" / version
    render(directory, Answers.of(project), version)
    return directory


def report_on(
    result: Merge, versions: Versions, before: Path, after: Path, moved: list[Moves]
) -> Report:
    """What the merge means for the owner."""
    written = released.read(result.scratch, changelog.CHANGELOG)
    return Report(
        versions,
        changelog.between(written, versions.current, versions.target),
        result.changes,
        result.conflicting,
        new_settings(before / ".env.example", after / ".env.example"),
        imports_rewritten=result.moved.imports_rewritten,
        sections_moved=result.moved.sections,
        settled=result.moved.settled,
        look_at=result.moved.look_at,
        gone_settings={name: what for step in moved for name, what in step.settings.items()},
        behaviour=[sentence for step in moved for sentence in step.behaviour],
    )


def new_settings(before: Path, after: Path) -> dict[str, str]:
    """What the new version can be told and the old could not, with its default."""
    old, new = (
        dict(SETTING_LINE.findall(path.read_text(encoding="utf-8"))) if path.is_file() else {}
        for path in (before, after)
    )
    return {name: default for name, default in new.items() if name not in old}
