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


@dataclass(frozen=True)
class Skeleton:
    """Files by path, both of them templates; and what the project may lack of what they import."""

    version: str
    files: Mapping[str, str]
    machinery: Mapping[str, str]
    """Whole files of the template, by path."""
    lines: tuple[Mapping[str, str], ...]
    """Lines of files that are there: `file`, `after`, `line`."""


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
    if later[0] != version and later[0] not in needs_of(released)["fits"]:
        raise AuthkitError(
            f"the project is at {later[0]}, which knows no generated resources", "authkit update"
        )
    needs = needs_of(released)
    machinery = {path: released[f"template/{path}"] for path in needs["files"]}
    return Skeleton(version, files, machinery, tuple(needs["lines"]))


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
        environment.from_string(path).render(context): environment.from_string(text).render(context)
        for path, text in skeleton.files.items()
    }


def formatted(project: Project, files: Mapping[str, str]) -> dict[str, str]:
    """The files as the project's own ruff writes them: its line length, no import unused."""
    with tempfile.TemporaryDirectory(prefix="authkit-") as scratch:
        for path, text in files.items():
            target = Path(scratch, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        config = ("--config", str(project.root / "pyproject.toml"), "--no-cache", "--quiet")
        ruff(project, scratch, "check", "--select", "I,F401", "--fix", "--exit-zero", *config)
        ruff(project, scratch, "format", *config)
        return {path: Path(scratch, path).read_text(encoding="utf-8") for path in files}


def ruff(project: Project, directory: str, *arguments: str) -> None:
    command = [str(project.python), "-m", "ruff", *arguments, "."]
    result = subprocess.run(
        command, cwd=directory, env=project.environ(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines() or ["it gave no reason"]
        raise AuthkitError(f"the project's ruff failed: {said[-1]}", "authkit doctor")
