"""Writing the files: all of them, or not a byte."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from authkit.terminal.errors import AuthkitError
from authkit.terminal.signals import stop_signals_raised


@contextmanager
def written(
    root: Path, new: Mapping[str, str], changed: Mapping[str, str]
) -> Iterator[Callable[[], object]]:
    """Write new files and change others; whatever stops the block takes all of it back.

    What is given says that they may stay from now on.
    """
    with stop_signals_raised("nothing was changed"), explained(root), ExitStack() as undo:
        for path, text in new.items():
            create(root, root / path, text, undo)
        for path, text in changed.items():
            target = root / path
            before = target.read_bytes()
            undo.callback(target.write_bytes, before)
            target.write_text(text, encoding="utf-8", newline="\n")
        yield undo.pop_all


def create(root: Path, target: Path, text: str, undo: ExitStack) -> None:
    """Write a file that is not there; the directories on its way are made, and taken back."""
    missing = [each for each in target.parents if root in each.parents and not each.is_dir()]
    for directory in reversed(missing):
        undo.callback(remove_directory, directory)
        directory.mkdir()
    with target.open("x", encoding="utf-8", newline="\n") as file:
        undo.callback(target.unlink, missing_ok=True)
        file.write(text)


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
            "nothing was changed; make room, or the directory writable",
        ) from error
