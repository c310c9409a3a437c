"""A part more or less: both renderings, and the merge of what differs between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from authkit.parts import migrations
from authkit.parts.left_settings import AFTER_REMOVAL, SETTINGS, left
from authkit.parts.migrations import Lines, migrations_of
from authkit.parts.report import Action, Data, PartReport
from authkit.project.migration_files import VERSIONS
from authkit.project.project import Project
from authkit.project.repository import Repository
from authkit.template.parts import parts_of
from authkit.template.render import Answers, render
from authkit.terminal.errors import AuthkitError
from authkit.terminal.screen import Screen
from authkit.terminal.signals import stop_signals_raised
from authkit.update.apply import require_room
from authkit.update.clean import require_clean
from authkit.update.merge import Merge, merge
from authkit.update.scratch import Scratch, scratch_for
from authkit.update.upgrade import carry_out, new_settings
from authkit.update.versions import Versions, versions_of


@dataclass(frozen=True)
class Request:
    """What is asked for, of a project as it is."""

    project: Project
    versions: Versions
    answers: Answers
    """Those of now; `parts` is never None here."""
    action: Action
    part: str
    drop_data: bool = False

    def answers_with(self, action: Action) -> Answers:
        """The answers when the part has been added, or removed."""
        others = {*(self.answers.parts or ())} - {self.part}
        chosen = others | ({self.part} if action == "add" else set())
        return replace(self.answers, parts=parts_of(self.versions.current).in_order(chosen))

    @property
    def is_done(self) -> bool:
        """Whether the project is like that already; data may be there without the part."""
        has_part = self.part in (self.answers.parts or ())
        return has_part == (self.action == "add") and not self.drop_data


def request(project: Project, action: Action, part: str, *, drop_data: bool = False) -> Request:
    """What is asked for, when there is such a part in the project's version of the template."""
    versions = versions_of(project)
    versions = replace(versions, target=versions.current)
    known = parts_of(versions.current)
    if not known.known:
        parts_of().require([part])
        raise AuthkitError(
            f"the project is at {versions.current}, which has no parts", "authkit update"
        )
    if part not in known.known and part in parts_of().known:
        raise AuthkitError(
            f"the project is at {versions.current}, which has no part {part}", "authkit update"
        )
    known.require([part])
    answers = Answers.of(project)
    if answers.parts is None:
        answers = replace(answers, parts=known.default)
    return Request(project, versions, answers, action, part, drop_data)


def change(request: Request, screen: Screen) -> PartReport:
    """Merge; then, unless a person has to resolve conflicts first, bring all else up to date."""
    require_clean(Repository(request.project.root))
    return carry_out(request.project, prepared(request), screen)


@contextmanager
def prepared(request: Request) -> Iterator[tuple[PartReport, Merge]]:
    """Render with both answers and merge, all beside the project; nothing of it is changed."""
    repository = Repository(request.project.root)
    require_clean(repository)
    try:
        with (
            stop_signals_raised("nothing was changed"),
            scratch_for(repository, f"{request.action}-{request.part}") as scratch,
        ):
            head = repository.line("rev-parse", "HEAD")
            before, after, data = renderings(request, scratch, head)
            result = merge(scratch, head, before, after, keep_edited=False)
            require_room(result, request.project.root)
            yield report_on(request, result, before, after, data), result
    except OSError as error:
        raise AuthkitError(
            f"the merge can't be made: {error.strerror or error} ({error.filename})",
            "make room on the disk; `git status` shows whether anything was changed",
        ) from error


def renderings(request: Request, scratch: Scratch, head: str) -> tuple[Path, Path, Data]:
    """The untouched project as it is and as it is to be, and what becomes of the part's data."""
    with_part, without = (
        rendered(scratch, name, request.answers_with(name), request.versions.current)
        for name in ("add", "remove")
    )
    there = dict(migrations_of(with_part))
    own = there.keys() - dict(migrations_of(without)).keys()
    lines = Lines({path: there[path] for path in own}, owned_migrations(scratch, head))
    if request.action == "add":
        return without, with_part, migrations.add(lines, without, with_part)
    if request.part in (request.answers.parts or ()):
        before = with_part
    else:
        before = rendered(scratch, "now", request.answers, request.versions.current)
    data = migrations.remove(lines, before, without, drop_data=request.drop_data)
    if data == "none" and before is not with_part:
        raise AuthkitError(
            f"the project has neither the part {request.part} nor its tables",
            "authkit info names the parts that the project has",
        )
    return before, without, data


def rendered(scratch: Scratch, name: str, answers: Answers, version: str) -> Path:
    directory = scratch.directory / "rendered" / name
    render(directory, answers, version)
    return directory


def owned_migrations(scratch: Scratch, head: str) -> dict[str, str]:
    """The migrations in the project's last commit, by path."""
    files = scratch.files(scratch.project_tree(head), f"{VERSIONS}/")
    return {path: scratch.read(blob) for path, (_, blob) in files.items() if path.endswith(".py")}


def report_on(request: Request, result: Merge, before: Path, after: Path, data: Data) -> PartReport:
    """What the merge means for the owner."""
    removed = request.action == "remove"
    return PartReport(
        request.versions,
        changes=result.changes,
        conflicts=result.conflicting,
        new_settings=new_settings(before / ".env.example", after / ".env.example"),
        gone_settings=settings_left(request) if removed else {},
        behaviour=AFTER_REMOVAL.get(request.part, []) if removed else [],
        action=request.action,
        part=request.part,
        parts=request.answers_with(request.action).parts or (),
        data=data,
    )


def settings_left(request: Request) -> dict[str, str]:
    """What nothing reads any more, of the part's settings that have a value."""
    try:
        values = request.project.settings()
    except AuthkitError:  # `.env` can't be read; that is another command's to say
        return {}
    others = SETTINGS.keys() - {request.part}
    return {name: f"{problem}; {fix}" for name, problem, fix in left(values, others)}
