"""`authkit doctor`: what is unsafe, missing or out of date, and the command that fixes it."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from authkit import __version__
from authkit.parts.left_settings import left
from authkit.project.outcome import in_our_words
from authkit.project.project import MARKER, Project
from authkit.project.repository import Repository, around
from authkit.project.setting_sources import from_environment, told
from authkit.project.system import WINDOWS, plain_python
from authkit.terminal import console
from authkit.terminal.errors import FAILED, AuthkitError
from authkit.terminal.options import JsonOption, ProjectOption

PRIVATE_MODE = 0o600


class Finding(NamedTuple):
    """One thing to fix, in the words of `python -m app.manage check`."""

    id: str
    severity: Literal["error", "warning"]
    message: str
    fix: str


def doctor(
    production: Annotated[
        bool, typer.Option("--production", help="Judge the settings as production would.")
    ] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Find what is unsafe, missing or out of date; exit 1 if there is something.

    Each finding names the command that fixes it. It works while the database is down.

    Examples:

      authkit doctor
      authkit doctor --production        before a deployment
      authkit doctor --json | jq -r '.[].fix'
    """
    target = Project.find(project)
    findings = list(examine(target, production=production))
    if elsewhere := told(from_environment(target)):
        console.warning(elsewhere)
    if json:
        console.print_json([finding._asdict() for finding in findings])
    else:
        show(findings, target)
    if findings:
        raise typer.Exit(FAILED)


def examine(project: Project, *, production: bool) -> Iterator[Finding]:
    """Everything there is to say, errors first."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        lambda: application(project, production=production),
        lambda: secrets(project),
        lambda: environment(project, production=production),
        lambda: without_effect(project),
        lambda: template(project),
    ]
    found = [finding for check in checks for finding in check()]
    yield from sorted(found, key=lambda finding: finding.severity)


def application(project: Project, *, production: bool) -> Iterator[Finding]:
    """What the project itself finds: settings, schema, database, Redis, SMTP."""
    try:
        answer = project.manage("check", *(["--production"] if production else []))
    except AuthkitError as failure:
        yield Finding("application", "error", failure.message, failure.hint)
        return
    elsewhere = from_environment(project)
    for found in answer:
        fix = in_our_words(found["fix"])
        words = set(re.findall(r"\w+", f"{found['message']} {fix}"))
        named = told(name for name in elsewhere if name in words)
        message = f"{found['message']} ({named})" if named else found["message"]
        yield Finding(found["id"], found["severity"], message, fix)


def secrets(project: Project) -> Iterator[Finding]:
    """`.env` holds the signing secret: for its owner only, and never in the repository."""
    file = project.root / ".env"
    if not file.is_file():
        return
    mode = file.stat().st_mode & 0o777
    if mode & ~PRIVATE_MODE and not WINDOWS:
        message = f".env is open to others on this machine (mode {mode:04o})"
        yield Finding("env-mode", "error", message, "chmod 600 .env")
    repository = Repository(project.root)
    if around(project.root) is None:
        return
    if refusal := repository.refusal():
        message = f"git refuses to say whether .env and its secrets are committed: {refusal}"
        yield Finding("git-refuses", "error", message, how_to_be_answered(project, refusal))
    elif repository.says_yes("ls-files", "--error-unmatch", ".env"):
        yield Finding(
            "env-tracked",
            "error",
            ".env is in the git repository, and so are its secrets",
            # A rotation alone would go on accepting what whoever read the repository can sign.
            "git rm --cached .env && git commit -m 'Untrack .env' && authkit keys rotate"
            "  # then refuse the published secret: authkit keys remove KID",
        )
    elif not repository.says_yes("check-ignore", "--quiet", ".env"):
        message = "git does not ignore .env; the next `git add .` would take its secrets along"
        yield Finding("env-not-ignored", "warning", message, "echo .env >> .gitignore")


def environment(project: Project, *, production: bool) -> Iterator[Finding]:
    """What is installed, against what the project was tested with."""
    from authkit.project.lockfile import differences, install_command

    try:
        project.python  # noqa: B018 - raises when there is no environment
    except AuthkitError:
        return  # `application` could not run, and has said so
    lock = project.root / ("requirements.txt" if production else "requirements-dev.txt")
    if not lock.is_file():
        message = f"{lock.name} is missing: nothing says what to install"
        yield Finding("environment", "error", message, f"git checkout -- {lock.name}")
        return
    try:
        found = differences(project, lock, with_extras=not production)
    except AuthkitError as failure:
        yield Finding("environment", "error", failure.message, failure.hint)
        return
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        message = f"the environment differs from {lock.name}: {shown}"
        yield Finding("environment", "warning", message, install_command(lock))


def without_effect(project: Project) -> Iterator[Finding]:
    """What is set and does not do what it says: limits, and settings of a part that was removed."""
    try:
        settings, parts = project.settings(), project.parts() or ()
    except AuthkitError:
        return  # `application` or `template` says so
    for name, problem, fix in left(settings, parts):
        yield Finding("part-settings", "warning", f"{name} {problem}", fix)
    # uvicorn takes its number of workers from WEB_CONCURRENCY; memory is not shared by them.
    count = settings.get("WEB_CONCURRENCY", "1")
    if count.isdecimal() and int(count) > 1 and not settings.get("REDIS_URL"):
        message = f"each of the {count} workers counts its own rate limits"
        fix = "set REDIS_URL=redis://localhost:6379/0 in .env"
        yield Finding("limits-in-memory", "warning", message, fix)


def template(project: Project) -> Iterator[Finding]:
    """Whether the project can be updated, and whether it should be."""
    try:
        made_with = str(project.answers().get("_commit", ""))
    except AuthkitError as failure:
        yield Finding("answers", "error", failure.message, failure.hint)
        return
    yield from age(made_with)
    repository = Repository(project.root)
    answers = around(project.root) and not repository.refusal()
    if answers and repository.line("status", "--porcelain", "--", MARKER):
        message = f"{MARKER} is not committed as it is; an update starts from what is committed"
        fix = f"git add {MARKER} && git commit -m 'Record the template'"
        yield Finding("answers-uncommitted", "warning", message, fix)


def age(made_with: str) -> Iterator[Finding]:
    """The newest template is the one that this authkit was released with."""
    from packaging.version import InvalidVersion, Version

    try:
        theirs, ours = Version(made_with), Version(__version__)
    except InvalidVersion:
        message = f"{MARKER} no longer says which version of the template made this project"
        yield Finding("answers", "error", message, f"git checkout -- {MARKER}")
        return
    if theirs < ours:
        message = f"the project is made with template {theirs}; {ours} is available"
        yield Finding("template-behind", "warning", message, "authkit update")
    if theirs > ours:
        message = f"the project is made with template {theirs}, newer than this authkit {ours}"
        fix = f"{plain_python()} -m pip install --upgrade authkit-fastapi"
        yield Finding("authkit-behind", "warning", message, fix)


def how_to_be_answered(project: Project, refusal: str) -> str:
    if "dubious ownership" in refusal:
        top = shlex.quote(str(around(project.root)))
        return f"git config --global --add safe.directory {top}  # if you trust its owner"
    return "install git, or see what is wrong: git status"


def show(findings: list[Finding], project: Project) -> None:
    if not findings:
        console.success("Nothing to fix.")
        return
    for finding in findings:
        console.finding(finding.severity, finding.message, finding.fix)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    where = "" if Path.cwd() == project.root else f"; the commands are for {project.root}"
    console.message(f"{counted(errors, 'error')}, {counted(warnings, 'warning')}{where}")


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
