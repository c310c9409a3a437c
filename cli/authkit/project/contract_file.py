"""`openapi.json`, the contract that a project keeps, and what its application says now."""

import json
from pathlib import Path
from typing import Any, Final

from authkit.project.project import Project
from authkit.project.repository import Repository
from authkit.terminal.errors import AuthkitError, UsageError

NAME: Final = "openapi.json"
WRITE: Final = "authkit openapi --write"
COMMAND: Final = "app/manage/openapi.py"
"""What writes the contract; before 0.7.0 there was none."""


def can_be_written(project: Project) -> bool:
    return (project.root / COMMAND).is_file()


def current(project: Project) -> dict[str, Any]:
    """The document of the application as it is now; it connects to nothing."""
    document: dict[str, Any] = asked(project, "openapi")
    return document


def write(project: Project) -> bool:
    """Write what the application says now; whether anything changed."""
    return bool(asked(project, "openapi", "--write")["changed"])


def asked(project: Project, *args: str) -> Any:
    """What the project answers; one from before 0.7.0 can't."""
    try:
        return project.manage(*args)
    except UsageError:
        raise AuthkitError("the project is from before 0.7.0", "authkit update") from None


def kept(project: Project) -> dict[str, Any] | None:
    """The file as it lies there; None when there is none."""
    path = project.root / NAME
    if not path.is_file():
        return None
    return parsed(path.read_text(encoding="utf-8", errors="replace"), str(path))


def committed(project: Project, revision: str) -> dict[str, Any] | None:
    """The file in a commit; None when that has none."""
    repository = Repository(project.root)
    if not repository.line("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"):
        raise UsageError(
            f"there is no commit {revision}", "name a commit, a branch or a file after --against"
        )
    shown = repository.attempt("show", f"{revision}:./{NAME}")
    if shown.returncode != 0:
        return None
    return parsed(shown.stdout.decode(errors="replace"), f"{NAME} of {revision}")


def in_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    return parsed(text, str(path))


def parsed(text: str, name: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AuthkitError(f"{name} is no OpenAPI document", WRITE)
    return document
