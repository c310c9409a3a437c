"""The skeleton of a resource, which lives with the template's version, filled in."""

import subprocess
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from authkit.project.project import Project
from authkit.template.source import released_files
from authkit.terminal.errors import AuthkitError
from authkit.update.versions import versions_of

SKELETON: Final = "template/skeletons/resource/"


ONE_LINE: Final = (
    "format.skip-magic-trailing-comma = true",
    "lint.isort.split-on-trailing-comma = false",
    "lint.isort.known-first-party = ['app', 'tests']",
)
"""What fits on a line stands on one, whatever the skeleton has to leave room for."""

MEANT: Final = {"app": "RUF001,S105", "tests": "RUF001"}
"""By directory what a default may look like: a `–`, or a password, since the field is a `token`."""


@dataclass(frozen=True)
class Skeleton:
    """Files by path, both of them templates; and what the project may lack of what they import."""

    version: str
    files: Mapping[str, str]
    machinery: Mapping[str, str]
    """Whole files of the template, by path."""
    changes: tuple[Mapping[str, str], ...]
    """Of files that are there: `file`, what stands there `before`, and what stands there `now`."""

    @property
    def can_null(self) -> bool:
        """Whether a reference may become null; until 0.8.0 its row always went along."""
        return any("field.on_delete" in text for text in self.files.values())


def skeleton_for(project: Project) -> Skeleton:
    """That of the project's version, else of the earliest version that has one."""
    versions = versions_of(project)
    later = versions.known[versions.known.index(versions.current) :]
    for version in later:
        released = released_files("template/", version)
        files = {
            path.removeprefix(SKELETON).removesuffix(".jinja"): text
            for path, text in released.items()
            if path.startswith(SKELETON) and path.endswith(".jinja")
        }
        if files:
            break
    else:
        raise AuthkitError("this authkit has no skeleton of a resource", "reinstall authkit")
    if later[0] == version:
        return Skeleton(version, files, {}, ())
    needs = needs_of(released)
    if later[0] not in needs["fits"]:
        raise AuthkitError(
            f"the project is at {later[0]}, which can't generate resources", "authkit update"
        )
    machinery = {path: released[f"template/{path}"] for path in needs["files"]}
    return Skeleton(version, files, machinery, tuple(needs["changes"]))


def needs_of(released: Mapping[str, str]) -> dict[str, Any]:
    """What the skeleton stands on: for projects of before."""
    return tomllib.loads(released[f"{SKELETON}needs.toml"])


def fill_in(skeleton: Skeleton, context: Mapping[str, Any]) -> dict[str, str]:
    """The files of a resource, before anything has formatted them."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # noqa: S701 (Python and Markdown, not HTML)
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return {
        path_of(path, context): environment.from_string(text).render(context)
        for path, text in skeleton.files.items()
    }


def path_of(path: str, context: Mapping[str, Any]) -> str:
    """`app/_plural_/models.py` as it is called: copier would fill in Jinja, which it can't here."""
    for name in ("plural", "revision"):
        path = path.replace(f"_{name}_", context[name])
    return path


def formatted(project: Project, files: Mapping[str, str]) -> dict[str, str]:
    """The files as the project's own ruff writes them: its line length, no import unused."""
    with tempfile.TemporaryDirectory(prefix="authkit-") as scratch:
        for path, text in files.items():
            target = Path(scratch, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        quiet = ("--no-cache", "--quiet", "--config", str(project.root / "pyproject.toml"))
        options = [*quiet, *(part for line in ONE_LINE for part in ("--config", line))]
        ruff(project, scratch, "check", "--select", "I,F401", "--fix", "--exit-zero", *options, ".")
        ruff(project, scratch, "format", *options, ".")
        for directory, codes in MEANT.items():
            if Path(scratch, directory).is_dir():
                ruff(project, scratch, "check", "--add-noqa", "--select", codes, *quiet, directory)
        return {path: Path(scratch, path).read_text(encoding="utf-8") for path in files}


def ruff(project: Project, directory: str, *arguments: str) -> None:
    command = [str(project.python), "-m", "ruff", *arguments]
    result = subprocess.run(
        command, cwd=directory, env=project.environ(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines() or ["it gave no reason"]
        raise AuthkitError(f"the project's ruff failed: {said[-1]}", "authkit doctor")
