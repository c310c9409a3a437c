"""The project's `.venv` against its lock: what differs, and the command that makes them agree."""

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from authkit.project.project import Project

# Tools that environments are made with; no lock names them.
TOOLS = {"pip", "setuptools", "wheel"}


def install_command(lock: Path) -> str:
    """What makes the environment equal to its lock, with the tools at hand."""
    if shutil.which("uv"):
        return f"uv venv --allow-existing .venv && uv pip sync {lock.name}"
    return f"python3 -m venv --clear .venv && .venv/bin/python -m pip install -r {lock.name}"


def differences(project: Project, lock: Path, *, with_extras: bool) -> list[str]:
    """A phrase for each package that is missing, of another version or, `with_extras`, unlocked."""
    wanted = dict(locked(lock, python_version(project)))
    present = installed(project)
    missing = [f"{name} {wanted[name]} is missing" for name in wanted.keys() - present.keys()]
    changed = [
        f"{name} is {present[name]} instead of {wanted[name]}"
        for name in wanted.keys() & present.keys()
        if present[name] != wanted[name]
    ]
    extra = present.keys() - wanted.keys() - TOOLS if with_extras else ()
    return sorted(missing) + sorted(changed) + [f"{name} is not in it" for name in sorted(extra)]


def locked(lock: Path, python: str) -> Iterator[tuple[str, str]]:
    """The packages and versions that a requirements file pins for this machine."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    minor = ".".join(python.split(".")[:2])
    environment = {"python_full_version": python, "python_version": minor}
    for line in lock.read_text(encoding="utf-8").splitlines():
        # A pin is "name==1.0 ; marker \", its hashes follow on lines of their own.
        try:
            requirement = Requirement(line.partition("#")[0].rstrip(" \\"))
        except InvalidRequirement:
            continue
        pins = [spec.version for spec in requirement.specifier if spec.operator == "=="]
        if pins and (requirement.marker is None or requirement.marker.evaluate(environment)):
            yield canonicalize_name(requirement.name), pins[0]


def installed(project: Project) -> dict[str, str]:
    """The packages of the environment, read from its files: nothing is run."""
    from packaging.utils import canonicalize_name

    venv = project.root / ".venv"
    paths = [*venv.glob("lib/python*/site-packages"), *venv.glob("Lib/site-packages")]
    return {
        canonicalize_name(found.metadata["Name"]): found.version
        for found in distributions(path=[str(path) for path in paths])
    }


def python_version(project: Project) -> str:
    """The version of the environment's interpreter, as `pyvenv.cfg` has it."""
    config = (project.root / ".venv" / "pyvenv.cfg").read_text(encoding="utf-8")
    match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", config, re.MULTILINE)
    return match[1] if match else "3.11.0"
