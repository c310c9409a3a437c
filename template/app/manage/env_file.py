"""`.env`: read as the application reads it, changed by one process at a time, all or nothing."""

import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from app.config import UNREADABLE_ENV_FILE
from app.manage.errors import CommandError

ENV_FILE: Final = ".env"


def read() -> dict[str, str]:
    """The settings as texts, by their names in capitals; the environment's win over the file's. The
    application reads `jwt_secret` as well.
    """
    try:
        found = [*dotenv_values(ENV_FILE).items(), *os.environ.items()]
    except (OSError, UnicodeDecodeError):
        raise CommandError(UNREADABLE_ENV_FILE) from None
    return {name.upper(): value for name, value in found if value is not None}


def refuse_environment(*names: str) -> None:
    """
    Raises:
        CommandError: one of these settings is in the environment, so the file has no effect.
    """
    for name in names:
        if name in map(str.upper, os.environ):
            raise CommandError(
                f"{name} is set in the environment, which wins over {ENV_FILE}",
                f"change it where it is set, or unset it and keep it in {ENV_FILE}",
            )


@contextmanager
def locked() -> Iterator[None]:
    """Wait until no other process is between reading the file and writing it.

    The lock is the directory's: the file itself is replaced, and a file of its own would stay.

    Raises:
        CommandError: the file, or what it stands in, lets nobody write.
    """
    try:
        with ExitStack() as stack:
            if sys.platform != "win32":
                import fcntl  # noqa: PLC0415 - there is none on Windows

                directory = os.open(_path().parent, os.O_RDONLY)
                stack.callback(os.close, directory)
                fcntl.flock(directory, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise CommandError(f"{ENV_FILE} can't be written: {error.strerror}") from None


def write(changes: Mapping[str, str]) -> None:
    """Replace these lines in one step, while it is `locked`, and leave all others as they are.

    Mode and owner stay, also under sudo; a new file is readable by its owner alone. A link stays
    one: where a deployment keeps `.env` elsewhere, that file is written.
    """
    path = _path()
    lines = {name: f"{name}={_spelled(name, value)}\n" for name, value in changes.items()}
    text = path.read_bytes().decode() if path.exists() else ""
    _replace(path, _with_lines(text, lines))


def _path() -> Path:
    return Path(os.path.realpath(ENV_FILE))


def _with_lines(text: str, lines: Mapping[str, str]) -> str:
    parsed = parse_stream(io.StringIO(text))
    kept = [((line.key or "").upper(), line.original.string) for line in parsed]
    written = "".join(lines.get(name, line) for name, line in kept)
    if written and not written.endswith("\n"):
        written += "\n"
    return written + "".join(line for name, line in lines.items() if name not in dict(kept))


def _replace(path: Path, text: str) -> None:
    """What a kill leaves behind is named `.env.…`, which git ignores."""
    descriptor, new = tempfile.mkstemp(prefix=f"{ENV_FILE}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            if path.exists():
                _like(path.stat(), descriptor)
            file.flush()
            os.fsync(descriptor)
        Path(new).replace(path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


def _like(old: os.stat_result, descriptor: int) -> None:
    if sys.platform == "win32":
        return
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _spelled(name: str, value: str) -> str:
    """Quote values that would read back differently: a secret with " #" in it would lose its
    end."""
    quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    for text in (value, quoted):
        if dotenv_values(stream=io.StringIO(f"{name}={text}\n")).get(name) == value:
            return text
    raise CommandError(
        f"{name} has characters that {ENV_FILE} can't hold",
        f"replace it in {ENV_FILE} by hand; everybody signs in again",
    )
