"""Updating a project to another version of its template, offline, from the installed wheel."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import FrameType
from typing import Any, Final

from packaging.version import InvalidVersion, Version

from authkit import __version__
from authkit.new.build import stop_signals_raised
from authkit.project import environment, lockfile
from authkit.project.project import MARKER, Project, failure_of
from authkit.project.repository import Repository
from authkit.project.suite import test_services
from authkit.template.render import TEMPLATE_SOURCE, Answers, place_template, render
from authkit.terminal import console
from authkit.terminal.errors import INTERRUPTED, AuthkitError, UsageError
from authkit.update import changelog, merge
from authkit.update.merge import Change, Merge, Scratch

SETTING_LINE: Final = re.compile(r"^#?\s?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
MIGRATE: Final = "authkit migrate"
TEST: Final = "authkit test"
UNDO: Final = "git reset --hard"

UNDER_WAY: Final = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
"""What git keeps while it waits for its user in the middle of something (gitrepository-layout)."""

STEPS: Final = ("environment", "migrations", "tests")


@dataclass(frozen=True)
class Versions:
    """Where the project is, where it goes, and what this authkit can bring."""

    current: str
    target: str
    known: tuple[str, ...]

    @property
    def is_update(self) -> bool:
        return Version(self.target) > Version(self.current)


@dataclass
class Report:
    """What an update did, or would do."""

    versions: Versions
    changelog: str = ""
    changes: list[Change] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    new_settings: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    """Of environment, migrations and tests: what was brought up to date."""
    left_to_do: list[str] = field(default_factory=list)
    undo: str = UNDO
    problem: AuthkitError | None = None
    """Why a step after the merge failed; the merge stands."""

    @property
    def is_complete(self) -> bool:
        return self.done == list(STEPS)

    def as_json(self) -> dict[str, Any]:
        return {
            "from": self.versions.current,
            "to": self.versions.target,
            "changelog": self.changelog,
            "changes": [
                {"kind": change.kind, "path": change.path, "note": change.note}
                for change in self.changes
            ],
            "conflicts": self.conflicts,
            "newSettings": self.new_settings,
            "done": self.done,
            "leftToDo": self.left_to_do,
            "undo": self.undo,
        }


def versions_of(project: Project, to: str | None = None) -> Versions:
    """The versions that matter, when there is a way from the project's to the other."""
    answers = project.answers()
    if answers.get("_src_path") != TEMPLATE_SOURCE:
        raise AuthkitError(
            f"{MARKER} names another template: {answers.get('_src_path')}",
            "only projects made by `authkit new` can be updated; copier can do others",
        )
    current = str(answers.get("_commit", "")).removeprefix("v")
    known = known_versions()
    target = (to or __version__).removeprefix("v")
    if target not in known:
        raise UsageError(f"authkit knows no version {target}", f"it knows {', '.join(known)}")
    require_known(current, known)
    if to and Version(target) < Version(current):
        raise AuthkitError(
            f"the project is at {current}; it can't go back to {target}",
            "git can: look for the commit of the update and `git revert` it",
        )
    return Versions(current, target, known)


def known_versions() -> tuple[str, ...]:
    """The releases that this authkit carries, oldest first."""
    bundle = place_template()
    heads = Repository(bundle.parent).git("bundle", "list-heads", str(bundle)).decode()
    tags = re.findall(r"refs/tags/v(\S+)", heads)
    return tuple(sorted(tags, key=Version))


def require_known(current: str, known: tuple[str, ...]) -> None:
    """Refuse a project whose template this authkit does not have."""
    if current in known:
        return
    try:
        newer = Version(current) > Version(__version__)
    except InvalidVersion:
        raise AuthkitError(
            f"{MARKER} does not say which version of the template made this project",
            f"restore it: git checkout -- {MARKER}",
        ) from None
    if newer:
        raise AuthkitError(
            f"the project is at {current}, newer than this authkit ({__version__})",
            "python3 -m pip install --upgrade authkit-fastapi",
        )
    raise AuthkitError(
        f"the project is at {current}, which no released template is",
        f"known are {', '.join(known)}; `git log -- {MARKER}` shows how it came about",
    )


def require_clean(repository: Repository) -> None:
    """An update must be separable from the owner's own work, and git must be able to undo it."""
    inside = repository.attempt("rev-parse", "--is-inside-work-tree")
    if inside.returncode != 0:
        above = (repository.directory, *repository.directory.parents)
        if any((directory / ".git").exists() for directory in above):
            # It is one, of another owner or damaged: git says which, and how to go on.
            raise AuthkitError(f"git refuses: {inside.stderr.decode(errors='replace').strip()}")
        raise AuthkitError(
            f"{repository.directory} is no git repository, so an update could not be undone",
            "git init && git add --all && git commit -m 'Before the update'",
        )
    if repository.attempt("rev-parse", "--verify", "HEAD").returncode != 0:
        raise AuthkitError(
            "the repository has no commit yet", "git add --all && git commit -m 'Before the update'"
        )
    git_directory = repository.directory / repository.line("rev-parse", "--git-dir")
    for name, what in UNDER_WAY.items():
        if (git_directory / name).exists():
            raise AuthkitError(
                f"a {what} is under way", f"finish it, or give it up: git {what} --abort"
            )
    if repository.git("status", "--porcelain"):
        raise AuthkitError(
            "the working tree has changes that are not committed",
            "commit them, or put them aside with `git stash --include-untracked`",
        )


@contextmanager
def prepared(project: Project, versions: Versions) -> Iterator[tuple[Report, Merge]]:
    """Render both versions and merge, all beside the project; nothing of it is changed."""
    repository = Repository(project.root)
    require_clean(repository)
    try:
        with (
            stop_signals_raised("nothing was changed"),
            merge.scratch_for(repository, versions.target) as scratch,
        ):
            before, after = (
                render_beside(scratch, project, version)
                for version in (versions.current, versions.target)
            )
            result = merge.merge(scratch, repository.line("rev-parse", "HEAD"), before, after)
            yield report_on(result, versions, before, after), result
    except OSError as error:
        raise AuthkitError(
            f"the update can't be made: {error.strerror or error} ({error.filename})",
            "make room on the disk; `git status` shows whether anything was changed",
        ) from error


def report_on(result: Merge, versions: Versions, before: Path, after: Path) -> Report:
    """What the merge means for the owner."""
    entries = changelog.between(read_changelog(result.scratch), versions.current, versions.target)
    settings = new_settings(before / ".env.example", after / ".env.example")
    return Report(versions, entries, result.changes, result.conflicting, settings)


def render_beside(scratch: Scratch, project: Project, version: str) -> Path:
    """The untouched project of that version, with this project's answers."""
    answers = project.answers()
    directory = scratch.directory / "rendered" / version
    try:
        chosen = Answers(**{name.name: str(answers[name.name]) for name in fields(Answers)})
    except KeyError as missing:
        raise AuthkitError(
            f"{MARKER} lacks the answer {missing}",
            f"put it back; `git log -p -- {MARKER}` shows what it was",
        ) from None
    render(directory, chosen, version)
    return directory


def read_changelog(scratch: Scratch) -> str:
    """The changelog of the newest release; it is beside the template, not in it."""
    bundle = str(Path(TEMPLATE_SOURCE).expanduser())
    # Not fetched into the scratch repository: the project's may use other object ids.
    scratch.git("clone", "--quiet", "--bare", bundle, "released")
    return scratch.git("--git-dir=released", "show", "HEAD:CHANGELOG.md").decode()


def new_settings(before: Path, after: Path) -> dict[str, str]:
    """What the new version can be told and the old could not, with its default."""
    old, new = (
        dict(SETTING_LINE.findall(path.read_text(encoding="utf-8"))) if path.is_file() else {}
        for path in (before, after)
    )
    return {name: default for name, default in new.items() if name not in old}


def update(project: Project, versions: Versions) -> Report:
    """Merge; then, unless a person has to resolve conflicts first, bring all else up to date."""
    require_clean(Repository(project.root))
    with (
        console.step("merge"),
        prepared(project, versions) as (report, result),
        stop_signals_put_off(),
    ):
        merge.apply(result, Repository(project.root))
    if report.conflicts:
        report.left_to_do = ["resolve the conflicts, then `git add` each file", MIGRATE, TEST]
        if any(change.path == environment.REQUIREMENTS for change in report.changes):
            report.left_to_do.insert(1, install_command(project))
    else:
        follow_up(project, report)
    if Path.cwd().resolve() != project.root.resolve():
        report.left_to_do.insert(0, f"cd {shlex.quote(os.path.relpath(project.root))}")
    report.left_to_do.append("look at it: git diff --cached; keep it: git commit")
    return report


@contextmanager
def stop_signals_put_off() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait: half of the files written is what nobody wants.

    A terminal sends Ctrl-C to git as well, which inherits that the signals are blocked.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    caught: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        caught.append(signum)

    before = {each: signal.signal(each, note) for each in signals}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for each, handler in before.items():
            signal.signal(each, handler)
    if caught:
        raise AuthkitError(
            "interrupted after the merge, which is staged",
            f"look at it: git status; take it all back: {UNDO}",
            INTERRUPTED if caught[0] == signal.SIGINT else 128 + caught[0],
        )


def install_command(project: Project) -> str:
    """What brings the environment up to date; an owner without our lock has a way of their own."""
    if (project.root / environment.REQUIREMENTS).is_file():
        return lockfile.install_command(Path(environment.REQUIREMENTS))
    return "install what pyproject.toml names, in your own way: you deleted its lock"


def follow_up(project: Project, report: Report) -> None:
    """Environment, migrations, tests, in this order; what fails is left to do, with the rest."""
    if not (project.root / ".venv" / "pyvenv.cfg").is_file():  # its owner runs it otherwise
        report.left_to_do = [install_command(project), MIGRATE, TEST]
        return
    functions = (bring_environment_up_to_date, migrate, run_tests)
    commands = (install_command(project), MIGRATE, TEST)
    for name, step, command in zip(STEPS, functions, commands, strict=True):
        if report.problem is not None:
            report.left_to_do.append(command)
            continue
        try:
            finished = step(project, report)
        except AuthkitError as failure:
            report.problem = failure
            finished = False
        except KeyboardInterrupt:
            report.problem = AuthkitError(f"interrupted: {name}", command, INTERRUPTED)
            finished = False
        if finished:
            report.done.append(name)
        else:
            report.left_to_do.append(command)


def bring_environment_up_to_date(project: Project, report: Report) -> bool:
    """Install what the merged lock pins and `.venv` lacks; what the owner added stays."""
    path = project.root / environment.REQUIREMENTS
    if not path.is_file():
        return False
    with console.step("environment"):
        if lockfile.differences(project, path, with_extras=False):
            environment.install(project.root)
    return True


def migrate(project: Project, report: Report) -> bool:
    """Apply the new migrations, but production's only by its owner's own hand."""
    if project.run(["-m", "alembic", "current", "--check-heads"]).returncode == 0:
        return True
    if project.settings().get("ENVIRONMENT", "").lower() == "production":
        console.warning("these are production's settings: its database is not migrated here")
        return False
    before = revisions(project)
    if not console.confirm("There are new migrations. Migrate the database now?"):
        return False
    # Resetting alone would leave the database at a revision that has no file any more.
    report.undo = f"{MIGRATE} --to {before} && {UNDO}"
    with console.step("migrate"):
        result = project.run(["-m", "alembic", "upgrade", "head"])
        if result.returncode != 0:
            raise failure_of(result, "alembic upgrade head")
    return True


def revisions(project: Project) -> str:
    """Where the database is: a revision, or `base`; why it can't be asked, when that is so."""
    result = project.run(["-m", "alembic", "current"])
    if result.returncode != 0:
        raise failure_of(result, "alembic current")
    return " ".join(re.findall(r"^(\S+)(?: \(.*\))*$", result.stdout, re.MULTILINE)) or "base"


def run_tests(project: Project, report: Report) -> bool:
    """The project's own suite and gate, quietly; its last lines when it fails."""
    with console.step("test"):
        result = subprocess.run(
            [str(project.python), "-m", "pytest", "-q"],
            cwd=project.root,
            env=project.environ() | test_services(project.settings()),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            tail = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
            console.message(tail)
            raise AuthkitError("the project's tests fail after the update", TEST)
    return True
