"""An update starts from a clean repository, so that git can tell it apart and take it back."""

from typing import Final

from authkit.project.repository import Repository
from authkit.terminal.errors import AuthkitError
from authkit.update.report import UNDO

UNDER_WAY: Final = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
"""What git keeps while it waits for its user in the middle of something (gitrepository-layout)."""


def undo_of(repository: Repository) -> str:
    """What takes an update back, and nothing else: neighbours may have uncommitted work."""
    whole = not repository.line("rev-parse", "--show-prefix")
    return UNDO if whole else "git restore --source=HEAD --staged --worktree -- ."


def require_clean(repository: Repository) -> None:
    """An update must be separable from the owner's own work, and git must be able to undo it."""
    inside = repository.attempt("rev-parse", "--is-inside-work-tree")
    if inside.returncode != 0:
        above = (repository.directory, *repository.directory.parents)
        if any((directory / ".git").exists() for directory in above):
            # It is one, of another owner or damaged: git says which, and how to go on.
            raise AuthkitError(f"git refuses: {inside.stderr.decode(errors='replace').strip()}")
        raise AuthkitError(
            f"{repository.directory} is no git repository, so an update could not be undone",
            "git init && git add --all && git commit -m 'Before the update'",
        )
    if repository.attempt("rev-parse", "--verify", "HEAD").returncode != 0:
        raise AuthkitError(
            "the repository has no commit yet", "git add --all && git commit -m 'Before the update'"
        )
    git_directory = repository.directory / repository.line("rev-parse", "--git-dir")
    for name, what in UNDER_WAY.items():
        if (git_directory / name).exists():
            raise AuthkitError(
                f"a {what} is under way", f"finish it, or give it up: git {what} --abort"
            )
    if (git_directory / "index.lock").exists():
        raise AuthkitError(
            "another git works in this repository, or was killed while it did",
            f"when none is running: rm {git_directory / 'index.lock'}",
        )
    if repository.git("status", "--porcelain", "--", "."):
        raise AuthkitError(
            "the project has changes that are not committed",
            "commit them, or put them aside with `git stash --include-untracked`",
        )
