"""Putting the merge into the working tree and the index, or refusing before anything is lost."""

import os
from pathlib import Path

from authkit.project.repository import Repository
from authkit.terminal.errors import AuthkitError
from authkit.update.merge import Merge
from authkit.update.scratch import Scratch


def apply(result: Merge, repository: Repository) -> None:
    """Put the result into the working tree and the index: staged, conflicts as git marks them."""
    scratch = result.scratch
    require_room(result, repository.directory)
    top = Repository(Path(repository.line("rev-parse", "--show-toplevel")))
    whole = scratch.repository_tree(result.head, result.tree)
    bring_objects(top, scratch, whole)
    top.git("update-index", "-q", "--refresh")
    try:
        top.git("read-tree", "-m", "-u", result.head, whole)
    except AuthkitError as error:
        raise AuthkitError(
            error.message,
            "`git status` shows whether anything was changed; if so, take it back: "
            "git stash --include-untracked",
        ) from error
    lines = [
        line
        for name, stages in result.conflicts.items()
        for path in [(scratch.project / name).as_posix()]
        for line in (
            f"0 {'0' * len(whole)}\t{path}\0",
            *(f"{mode} {blob} {stage}\t{path}\0" for stage, (mode, blob) in stages.items()),
        )
    ]
    text = "".join(lines).encode(errors="surrogateescape")
    top.git("update-index", "-z", "--index-info", input=text)


def bring_objects(top: Repository, scratch: Scratch, whole: str) -> None:
    """Copy the result's objects, and those of both sides of a conflict, into the project's."""
    sides = ["refs/heads/yours", f"refs/heads/{scratch.template}", "refs/heads/result"]
    scratch.git("update-ref", sides[2], scratch.commit(whole))
    # Whatever the owner's own fetches may do and not do: this one stays on this machine.
    local = ("-c", "protocol.file.allow=always", "fetch", "--quiet", "--no-recurse-submodules")
    top.git(*local, "--no-tags", "--no-write-fetch-head", str(scratch.directory), *sides)


def require_room(result: Merge, project: Path) -> None:
    """Refuse to overwrite what git does not track: git itself guards no file that it ignores."""
    tracked = result.scratch.files(result.scratch.project_tree(result.head))
    in_the_way = {
        place
        for path in result.arriving
        for place in (path, *(parent.as_posix() for parent in Path(path).parents if parent.parts))
        if place not in tracked and blocks(project / place, is_file=place == path)
    }
    if in_the_way:
        raise AuthkitError(
            f"there are untracked files where the merge brings its own: "
            f"{', '.join(sorted(in_the_way))}",
            "rename them, or commit them (git add --force, where git ignores them)",
        )


def blocks(place: Path, *, is_file: bool) -> bool:
    """Whether something is there that the file, or a directory that leads to it, would replace."""
    return os.path.lexists(place) and (is_file or place.is_symlink() or not place.is_dir())
