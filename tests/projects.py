"""Generated projects: made once for all processes of a run, and copied for whoever changes one."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A directory that the processes of a run share: whoever asks first makes it, others wait."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    directory, done = root / name, root / f"{name}.done"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(directory, ignore_errors=True)  # what another process failed to finish
            directory.mkdir()
            make(directory)
            done.touch()
    return directory


def copy_of(project: Path, target: Path) -> Path:
    """A project of one's own. Its environment is relocatable, and its packages are hard links:
    nothing writes into an installed file, what replaces one makes a new file."""
    lend_environment(project, target)
    everything_else = shutil.ignore_patterns(".venv")
    shutil.copytree(project, target, symlinks=True, ignore=everything_else, dirs_exist_ok=True)
    return target


def lend_environment(project: Path, target: Path) -> None:
    """The same packages for other files of a project."""
    shutil.copytree(project / ".venv", target / ".venv", symlinks=True, copy_function=os.link)
