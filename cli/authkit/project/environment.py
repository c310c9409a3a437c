"""The project's own environment: `.venv`, made by uv from the hashed requirements."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from authkit.terminal.errors import AuthkitError

REQUIREMENTS: Final = "requirements-dev.txt"

# Settings of the caller's that would send the packages elsewhere than into the project's `.venv`.
MISLEADING: Final = frozenset(
    {"VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON", "PYTHONHOME"}
)

PIP_SETTINGS: Final = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_CERT": "SSL_CERT_FILE"}


def create(root: Path, name: str) -> None:
    """Make `.venv` under `root`, relocatable: `new` builds beside the target and renames."""
    run_uv(
        ["venv", "--relocatable", "--prompt", name, "--python", sys.executable, ".venv"],
        root,
        "the environment can't be made",
    )


def install(root: Path) -> None:
    """Install exactly what authkit was tested with, hashes checked; never remove anything."""
    run_uv(
        ["pip", "install", "--python", ".venv", "--require-hashes", "-r", REQUIREMENTS],
        root,
        "the project's dependencies can't be installed",
    )


def run_uv(arguments: list[str], root: Path, failure: str) -> None:
    """Run uv quietly; when it fails, its reason is ours."""
    environ = {k: v for k, v in os.environ.items() if k not in MISLEADING}
    # uv does not read pip's settings; a mirror or a certificate that pip needs, uv needs too.
    for pip_name, uv_name in PIP_SETTINGS.items():
        if pip_name in environ:
            environ.setdefault(uv_name, environ[pip_name])
    command = [find_uv(), "--quiet", "--no-progress", *arguments]
    result = subprocess.run(
        command, cwd=root, env=environ, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise AuthkitError(f"{failure}: {reason_of(result.stderr)}", hint_for(result.stderr))


def find_uv() -> str:
    """The uv that was installed with authkit."""
    from uv import find_uv_bin

    return find_uv_bin()


def reason_of(stderr: str) -> str:
    """What uv says is the matter, on one line: the error and its last cause."""
    lines = [line.strip(" ×╰─▶│├") for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("warning:", "hint:"))]
    if not lines:
        return "uv gave no reason"
    first = lines[0].removeprefix("error: ")
    last = lines[-1].removeprefix("Caused by: ")
    return first if last in first else f"{first} ({last})"


def hint_for(stderr: str) -> str:
    """What the user can do about it."""
    if "No space left" in stderr:
        return "make room on the disk, then run the same command again"
    return "check the network (or the mirror that UV_DEFAULT_INDEX names), then run it again"
