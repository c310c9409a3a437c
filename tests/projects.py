"""Generated projects: made once for all processes of a run, and copied for whoever changes one."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

TYPES: Final = ".mypy_cache"


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


def copy_of(project: Path, target: Path, *, installs: bool = False) -> Path:
    """A project of one's own, with everything but the packages: see `lend_environment`."""
    lend_environment(project, target, installs=installs)
    everything_else = shutil.ignore_patterns(".venv", TYPES)
    shutil.copytree(project, target, symlinks=True, ignore=everything_else, dirs_exist_ok=True)
    return target


def lend_environment(project: Path, target: Path, *, installs: bool = False) -> None:
    """The same packages for other files of a project, and what its type checker knows of them.

    Args:
        installs: whether the borrower changes its environment. Then it gets hard links: nothing
            writes into an installed file, what replaces one makes a new file. Otherwise links to
            the two directories do, and what one borrower has compiled, the next need not.
    """
    lent = target / ".venv"
    if (project / TYPES).is_dir():
        shutil.copytree(project / TYPES, target / TYPES)
    if installs:
        shutil.copytree(project / ".venv", lent, symlinks=True, copy_function=os.link)
        return
    lent.mkdir(parents=True)
    for path in (project / ".venv").iterdir():
        if path.is_dir():
            (lent / path.name).symlink_to(path.resolve())
        else:
            shutil.copy2(path, lent)
