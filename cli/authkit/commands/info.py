"""`authkit info`: what this project is, without touching its database."""

import re
from pathlib import Path
from typing import Any

from authkit import __version__
from authkit.project.project import Project
from authkit.project.setting_sources import from_environment, told
from authkit.terminal import console, tables
from authkit.terminal.errors import AuthkitError
from authkit.terminal.options import JsonOption, ProjectOption

SECRET_NAME = re.compile(r"SECRET|PASSWORD|TOKEN$|PRIVATE|KEY|CREDENTIAL|DSN", re.IGNORECASE)
# From the first colon of the user part to the last @: a password may hold either.
URL_PASSWORD = re.compile(r"(://[^:/@]*:).*(@)")
# PostgreSQL and Redis take one among the parameters, too.
QUERY_PASSWORD = re.compile(r"([?&]\w*passw\w*=)[^&]*", re.IGNORECASE)
SETTING_LINE = re.compile(r"^#?\s*([A-Z][A-Z0-9_]*)=", re.MULTILINE)
REDACTED = "********"


def info(project: ProjectOption = None, json: JsonOption = False) -> None:
    """Show versions, choices and settings, with secrets redacted.

    It makes no connection, so it works while the database is down.

    Examples:

      authkit info
      authkit info --json | jq .settings
    """
    target = Project.find(project)
    facts = collect(target)
    if json:
        console.print_json(facts)
        return
    settings, problem = facts.pop("settings"), facts.pop("problem")
    from_elsewhere = told(facts.pop("fromEnvironment"))
    if problem:
        console.warning(problem)
    tables.record(facts | {"parts": ", ".join(facts["parts"] or ()) or "none"})
    tables.heading("settings")
    tables.record({name: as_written(value) for name, value in settings.items()})
    if from_elsewhere:
        console.warning(from_elsewhere)


def collect(project: Project) -> dict[str, Any]:
    """What is known without a connection; less of it when the environment does not work."""
    facts: dict[str, Any] = {
        "project": project.root.name,
        "root": str(project.root),
        "authkit": __version__,
        "template": str(project.answers().get("_commit", "unknown")),
        "parts": project.parts(),
        "fromEnvironment": from_environment(project),
    }
    try:
        answer: dict[str, Any] = project.manage("info")
    except AuthkitError as failure:
        settings = redacted(project)
        return facts | choices(settings) | {"problem": failure.message, "settings": settings}
    return facts | answer | {"problem": None}


def as_written(value: object) -> object:
    """A setting as `.env` would have it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return ",".join(f"{name}@{each}" for name, each in value.items())
    return str(value).lower() if isinstance(value, bool) else value


def choices(settings: dict[str, str]) -> dict[str, str]:
    postgres = settings.get("DATABASE_URL", "").startswith("postgres")
    return {
        "database": "postgresql" if postgres else "sqlite",
        "limits": "redis" if settings.get("REDIS_URL") else "memory",
    }


def redacted(project: Project) -> dict[str, str]:
    """The settings as `.env` and the environment have them, for when the app can't say."""
    try:
        effective = project.settings()
    except AuthkitError:
        return {}
    documented = setting_names(project.root / ".env.example")
    names = documented | setting_names(project.root / ".env")
    return {
        name: redact(name, effective[name]) if name in documented else REDACTED
        for name in sorted(names & effective.keys())
    }


def setting_names(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    return set(SETTING_LINE.findall(file.read_text(encoding="utf-8", errors="replace")))


def redact(name: str, value: str) -> str:
    """Enough to recognise a setting, not enough to use it."""
    if value and SECRET_NAME.search(name):
        return REDACTED
    return QUERY_PASSWORD.sub(rf"\1{REDACTED}", URL_PASSWORD.sub(rf"\1{REDACTED}\2", value))
