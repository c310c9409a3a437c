"""Other people's machines: who may not write everywhere, what a home says, who else is there."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.conftest import AUTHKIT, Result, environ


def git(directory: Path, *args: str) -> str:
    """What git says there, with nobody's configuration."""
    who = ("-c", "user.name=owner", "-c", "user.email=owner@localhost")
    return subprocess.run(
        ["git", *who, *args], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


def commit(directory: Path, message: str = "Mine") -> None:
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", message)


def without_privileges(
    *args: str, cwd: Path, env: Mapping[str, str] | None = None, program: list[str] | None = None
) -> Result:
    """Run the CLI as somebody whom permissions bind, also when the tests run as root."""
    bound: list[str] = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may write everywhere, and there is no setpriv to change that")
        bound = [setpriv, "--bounding-set=-dac_override,-dac_read_search"]
    process = subprocess.run(
        [*bound, *(program or AUTHKIT), *args],
        cwd=cwd,
        env=environ(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Result(process.returncode, process.stdout, process.stderr)


def files_below(directory: Path) -> dict[str, bytes]:
    """Every file but git's own, with its content."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }
