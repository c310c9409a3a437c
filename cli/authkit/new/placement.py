"""The hidden directory where a project is built, and how what was built there takes its place.

Each change outside of it registers how to take it back (`undo`).
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from authkit.new.plan import Plan
from authkit.project.system import remove_tree
from authkit.terminal.errors import AuthkitError

REPLACED: Final = ".before-authkit"
"""Where `--force` puts the owner's files that the project's own take the place of."""


NOBODYS: Final = "lost+found"
"""What the root of a file system has by itself."""


def check_target(plan: Plan, stage: Path | None = None) -> None:
    """Refuse what can't become the project's directory; our own `stage` in it is no matter."""
    target, known = plan.target, {NOBODYS, stage.name if stage else ""}
    if target.exists() and not target.is_dir():
        raise AuthkitError(f"{target} exists and is not a directory", "choose another path")
    if target.is_dir() and not plan.force and {p.name for p in target.iterdir()} - known:
        raise AuthkitError(
            f"{target} is not empty",
            "choose another path; --force adds the project to what is there "
            f"and keeps what it replaces in {REPLACED}/",
        )


def make_stage(target: Path, undo: ExitStack) -> Path:
    """The hidden directory: in the target when that exists, else beside it.

    What exists may be a mount point, or the only directory here that this user may write to.
    """
    missing = [parent for parent in target.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        undo.callback(remove_if_empty, parent)
    name = f".{target.name}.{secrets.token_hex(4)}"
    stage = target / name if target.is_dir() else target.with_name(name)
    stage.mkdir()
    undo.callback(remove_tree, stage)
    return stage


def remove_if_empty(directory: Path) -> None:
    with suppress(OSError):
        directory.rmdir()


def put_in_place(stage: Path, target: Path, undo: ExitStack) -> list[str]:
    """Rename the finished project to its target; return what of the owner's it replaced.

    Into a directory that exists (an empty one may be somebody's current directory, and with
    `--force` it has files), the project moves entry by entry.
    """
    if not target.exists():
        stage.rename(target)
        return []
    backup = next(path for path in backup_paths(target) if not path.exists())
    replaced = list(move_into(stage, target, backup, undo))
    if replaced:
        # What is kept there may be an .env, which must not get committed by accident.
        (backup / ".gitignore").write_text("*\n", encoding="utf-8", newline="\n")
    return [path.relative_to(target).as_posix() for path in replaced]


def backup_paths(target: Path) -> Iterator[Path]:
    yield target / REPLACED
    number = 2
    while True:
        yield target / f"{REPLACED}-{number}"
        number += 1


def move_into(stage: Path, target: Path, backup: Path, undo: ExitStack) -> Iterator[Path]:
    """Move every entry; directories that exist on both sides are merged, but for `.venv`."""
    for source in sorted(stage.iterdir()):
        destination = target / source.name
        if is_directory(source) and is_directory(destination) and source.name != ".venv":
            yield from move_into(source, destination, backup / source.name, undo)
            continue
        if os.path.lexists(destination):
            make_directories(backup, undo)
            move(destination, backup / source.name, undo)
            yield backup / source.name
        move(source, destination, undo)


def is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def make_directories(directory: Path, undo: ExitStack) -> None:
    for path in reversed([directory, *directory.parents]):
        if not path.exists():
            path.mkdir()
            undo.callback(remove_if_empty, path)


def move(source: Path, destination: Path, undo: ExitStack) -> None:
    """Rename, or copy to where something else is mounted."""
    shutil.move(source, destination)
    undo.callback(shutil.move, destination, source)
