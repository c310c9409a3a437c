"""What to type once the project is made."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

from authkit.new.plan import Plan
from authkit.project.project import make_environment
from authkit.project.system import WINDOWS

UVX: Final = re.compile(r"(?:archive|environments)-v\d+")


def next_commands(plan: Plan) -> list[str]:
    """What to type now."""
    authkit = this_program()
    way = from_here(plan.target)
    commands = [] if way == "." else [f"cd {shlex.quote(way)}"]
    if not plan.install:
        commands += [make_environment(), f"{authkit} migrate", f"{authkit} seed"]
    return [*commands, f"{authkit} serve"]


def from_here(target: Path) -> str:
    """The way to it; on Windows there is none to another drive."""
    try:
        return os.path.relpath(target)
    except ValueError:
        return str(target)


def this_program() -> str:
    """How to call authkit the next time: its name alone when it is on PATH.

    `uvx` has it there for this one run, in an environment within uv's cache.
    """
    if any(UVX.fullmatch(part) for part in Path(sys.prefix).parts):
        return "uvx --from authkit-fastapi authkit"
    if shutil.which("authkit"):
        return "authkit"
    beside_python = Path(sys.executable).with_name("authkit.exe" if WINDOWS else "authkit")
    if beside_python.exists():
        return shlex.quote(str(beside_python))
    return f"{shlex.quote(sys.executable)} -m authkit"
