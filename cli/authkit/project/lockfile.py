"""The project's `.venv` against its lock: what differs, and the command that makes them agree."""

import codecs
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PathDistribution, distributions
from pathlib import Path
from typing import Final

from authkit.project.project import Project
from authkit.project.system import in_environment, plain_python

# Tools that environments are made with; no lock names them.
TOOLS = {"pip", "setuptools", "wheel"}

UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BROKEN: Final = "broken (it has no METADATA)"
"""Stands for the version of what a kill or a full disk has left of a package."""

UNREADABLE: Final = ""
"""Stands for the name of what can't be told from the file."""

OTHER_FILES: Final = ("-r", "-e", "--requirement", "--editable")


def install_command(lock: Path) -> str:
    """What makes the environment equal to its lock, with the tools at hand."""
    if shutil.which("uv"):
        return f"uv venv --allow-existing .venv && uv pip sync {lock.name}"
    install = f"{in_environment('python')} -m pip install -r {lock.name}"
    return f"{plain_python()} -m venv --clear .venv && {install}"


def differences(project: Project, lock: Path, *, with_extras: bool) -> list[str]:
    """A phrase for each package that is missing, of another version or, `with_extras`, unlocked."""
    wanted = dict(locked(lock, python_version(project)))
    present = installed(project)
    missing = [
        f"{name} {wanted[name]}".rstrip() + " is missing"
        for name in wanted.keys() - present.keys() - {UNREADABLE}
    ]
    changed = [
        f"{name} is {present[name]} instead of {wanted[name] or 'whole'}"
        for name in wanted.keys() & present.keys()
        if present[name] == BROKEN or wanted[name] not in {"", present[name]}
    ]
    know_all = with_extras and UNREADABLE not in wanted
    extra = present.keys() - wanted.keys() - TOOLS if know_all else ()
    return sorted(missing) + sorted(changed) + [f"{name} is not in it" for name in sorted(extra)]


def locked(lock: Path, python: str) -> Iterator[tuple[str, str]]:
    """The packages and versions that a requirements file pins for this machine.

    No version where a path or a URL says it, and `UNREADABLE` where not even a name does.
    """
    minor = ".".join(python.split(".")[:2])
    environment = {"python_full_version": python, "python_version": minor}
    for line in text_of(lock).replace("\\\n", " ").splitlines():
        # A pin is "name==1.0 ; marker --hash=… --hash=…  # via who wanted it".
        wanted = re.split(r"(?:^|\s)(?:#|--hash)", line, maxsplit=1)[0].strip()
        if wanted.startswith(OTHER_FILES):
            yield UNREADABLE, ""
        elif wanted and not wanted.startswith("-"):
            yield from required(wanted, environment)


def required(wanted: str, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The name and the version of one requirement, when it is meant for this machine."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

    try:
        requirement = Requirement(wanted)
    except InvalidRequirement:
        try:
            name, version, _, _ = parse_wheel_filename(Path(wanted.partition("#")[0]).name)
            yield name, str(version)
        except InvalidWheelFilename:
            egg = re.search(r"#(?:.*&)?egg=([\w.-]+)", wanted)
            yield (canonicalize_name(egg[1]) if egg else UNREADABLE), ""
        return
    if requirement.marker is None or requirement.marker.evaluate(environment):
        pins = [spec.version for spec in requirement.specifier if spec.operator == "=="]
        yield canonicalize_name(requirement.name), pins[0] if pins else ""


def text_of(lock: Path) -> str:
    """A requirements file in any of the encodings that pip reads, with plain line ends."""
    content = lock.read_bytes()
    encoding = "utf-16" if content.startswith(UTF16) else "utf-8-sig"
    return content.decode(encoding, errors="replace").replace("\r\n", "\n")


def installed(project: Project) -> dict[str, str]:
    """The packages of the environment, read from its files: nothing is run."""
    from packaging.utils import canonicalize_name

    venv = project.root / ".venv"
    paths = [*venv.glob("lib/python*/site-packages"), *venv.glob("Lib/site-packages")]
    found: dict[str, str] = {}
    for each in distributions(path=[str(path) for path in paths]):
        text = each.read_text("METADATA") or each.read_text("PKG-INFO") or ""
        if text:
            found[canonicalize_name(each.metadata["Name"] or "")] = each.version
        elif isinstance(each, PathDistribution):
            folder = Path(str(each._path)).name  # noqa: SLF001 - nothing public names it
            found[canonicalize_name(folder.split("-")[0])] = BROKEN
    return found


def python_version(project: Project) -> str:
    """The version of the environment's interpreter, as `pyvenv.cfg` has it."""
    try:
        config = (project.root / ".venv" / "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise project.unusable("has no pyvenv.cfg that can be read") from None
    match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", config, re.MULTILINE)
    return match[1] if match else "3.11.0"
