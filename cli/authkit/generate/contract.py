"""What `openapi.json` says once the resource is there, found out before anything is written."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from authkit.project import contract_file
from authkit.project.project import Project
from authkit.terminal.errors import AuthkitError

CODE: Final = "app"


def contract_with(project: Project, files: Mapping[str, str]) -> dict[str, tuple[str, str]] | None:
    """The contract before and after these files, by its path; nothing where none is kept.

    None where the application does not start, as with settings that are wrong.
    """
    kept = project.root / contract_file.NAME
    if not kept.is_file() or not contract_file.can_be_written(project):
        return {}
    before = kept.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="authkit-") as scratch:
        copy = project_with(project, files, Path(scratch))
        try:
            document = contract_file.current(copy)
        except AuthkitError:
            return None
    after = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return {} if after == before else {contract_file.NAME: (before, after)}


def project_with(project: Project, files: Mapping[str, str], place: Path) -> Project:
    """The project with other code; all else is the project's own, by links."""
    for entry in project.root.iterdir():
        if entry.name != CODE:
            (place / entry.name).symlink_to(entry)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project.root / CODE, place / CODE, symlinks=True, ignore=ignored)
    for path, text in files.items():
        if path.startswith(f"{CODE}/"):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text, encoding="utf-8", newline="\n")
    return Project(place)
