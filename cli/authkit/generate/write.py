"""Writing the files: all of them, or not a byte."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from authkit.project import system
from authkit.terminal.errors import AuthkitError
from authkit.terminal.signals import stop_signals_raised


@contextmanager
def written(
    root: Path, new: Mapping[str, str], changed: Mapping[str, tuple[str, str]]
) -> Iterator[Callable[[], object]]:
    """Write new files and change others; whatever stops the block takes all of it back.

    What is given says that they may stay from now on. A file that is to change must still be as it
    was: somebody may have saved it while a question was open.
    """
    with stop_signals_raised("nothing was changed"), explained(root), ExitStack() as undo:
        for path, text in new.items():
            create(root, root / path, text, undo)
        for path, (before, after) in changed.items():
            change(root / path, before, after, undo)
        yield undo.pop_all


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep a second one out: both would take the same place in the line of migrations."""
    with system.locked(root) as is_mine:
        if not is_mine:
            raise AuthkitError(
                "another `authkit generate` is at work in this project", "wait until it has ended"
            )
        yield


def create(root: Path, target: Path, text: str, undo: ExitStack) -> None:
    """Write a file that is not there; the directories on its way are made, and taken back."""
    missing = [each for each in target.parents if root in each.parents and not each.is_dir()]
    for directory in reversed(missing):
        undo.callback(remove_directory, directory)
        directory.mkdir()
    with target.open("x", encoding="utf-8", newline="\n") as file:
        undo.callback(target.unlink, missing_ok=True)
        file.write(text)


def change(target: Path, before: str, after: str, undo: ExitStack) -> None:
    original = target.read_bytes()
    if target.read_text(encoding="utf-8") != before:
        raise AuthkitError(f"{target.name} has changed meanwhile", "try again; nothing was changed")
    undo.callback(target.write_bytes, original)
    target.write_text(after, encoding="utf-8", newline="\n")


def remove_directory(directory: Path) -> None:
    """What Python compiled meanwhile goes along; what is somebody else's stays."""
    with suppress(OSError):
        cache = directory / "__pycache__"
        for file in cache.glob("*.pyc"):
            file.unlink()
        if cache.is_dir():
            cache.rmdir()
        directory.rmdir()


@contextmanager
def explained(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AuthkitError(
            f"the files can't be written to {root}: {error.strerror or error} ({error.filename})",
            "nothing was changed; make room, or make the directory writable",
        ) from error
