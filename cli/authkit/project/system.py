"""What differs between POSIX and Windows, said once."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

WINDOWS: bool = os.name == "nt"


def interpreter(environment: Path) -> Path:
    """Python in a virtual environment."""
    return environment / ("Scripts/python.exe" if WINDOWS else "bin/python")


def in_environment(command: str) -> str:
    """A command of the project's `.venv` as it is typed in the project."""
    return f".venv\\Scripts\\{command}" if WINDOWS else f".venv/bin/{command}"


def plain_python() -> str:
    """What Python is called where no environment is active."""
    return "python" if WINDOWS else "python3"


def callers() -> set[int] | None:
    """The users whose files are the caller's own: under sudo also who called it.

    None on Windows, where a file's owner is not a number.
    """
    if WINDOWS:
        return None
    user = os.geteuid()
    sudo = os.environ.get("SUDO_UID", "")
    return {user, int(sudo)} if user == 0 and sudo.isdecimal() else {user}


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Run `command` in the place of this process: signals and the exit code need no forwarding.

    Windows can't do that: there `exec` starts another process and returns to the shell at once. So
    this one waits; Ctrl-C reaches both, and the other decides what becomes of it.
    """
    if not WINDOWS:
        os.execve(command[0], list(command), dict(environ))
    with subprocess.Popen(list(command), env=dict(environ)) as process:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            sys.exit(process.wait())
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def locked(directory: Path) -> Iterator[bool]:
    """Hold the lock of a directory until the end of the block; False when another process does.

    On Windows a directory has none: there two at once are not kept apart.
    """
    if sys.platform == "win32":
        yield True
        return
    import fcntl  # there is none on Windows

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def remove_tree(directory: Path) -> None:
    """Remove a directory as far as possible; git's objects are read-only, which Windows minds."""
    if WINDOWS:
        for path in directory.rglob("*"):
            with suppress(OSError):
                path.chmod(stat.S_IRWXU)
    shutil.rmtree(directory, ignore_errors=True)
