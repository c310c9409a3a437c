"""The owner's git repository: first commit, state, identity."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authkit.project import surroundings
from authkit.terminal.errors import AuthkitError

AS_IT_IS: Final = (
    *("-c", f"core.hooksPath={os.devnull}", "-c", "commit.gpgSign=false"),
    *("-c", "core.autocrlf=false", "-c", "core.safecrlf=false"),
    *("-c", f"core.attributesFile={os.devnull}"),
)
FALLBACK_IDENTITY: Final = ("-c", "user.name=authkit", "-c", "user.email=authkit@localhost")


@dataclass(frozen=True)
class Repository:
    """A directory in which git is run, with the owner's configuration."""

    directory: Path

    def git(self, *arguments: str, input: bytes | None = None) -> bytes:
        """What git prints; its failure becomes ours."""
        result = self.attempt(*arguments, input=input)
        if result.returncode != 0:
            reason = result.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
            raise AuthkitError(f"git {verb(arguments)} failed: {reason or 'it gave no reason'}")
        return result.stdout

    def attempt(
        self, *arguments: str, input: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git, whatever comes of it. Inherited GIT_DIR and the like name another repository."""
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=self.directory,
                env=surroundings.for_git(),
                input=input,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise AuthkitError("git is not installed", "install git, then try again") from None

    def line(self, *arguments: str) -> str:
        """The one line that git prints, or nothing when it fails."""
        result = self.attempt(*arguments)
        return result.stdout.decode().strip() if result.returncode == 0 else ""

    def says_yes(self, *arguments: str) -> bool:
        """Whether git succeeds; a machine without git says no."""
        try:
            return self.attempt(*arguments).returncode == 0
        except AuthkitError:
            return False

    def refusal(self) -> str:
        """Why git does not speak of this repository, which is there; nothing when it does."""
        try:
            asked = self.attempt("rev-parse", "--is-inside-work-tree")
        except AuthkitError as failure:
            return failure.message
        said = asked.stderr.decode(errors="replace").strip().splitlines()
        return "" if asked.returncode == 0 else (said or ["it gave no reason"])[0]

    def has_identity(self) -> bool:
        """Whether git knows whom to name as a commit's author."""
        return self.attempt("var", "GIT_AUTHOR_IDENT").returncode == 0

    def commit_first(self, files: Sequence[str], message: str) -> str:
        """Make the repository with its first commit, of exactly these files; the commit's id.

        Hooks and signing are the owner's habits for their own commits; neither may stop this one.
        What they ignore or convert everywhere may not change it either, and is looked for after.
        """
        branch = self.line("config", "init.defaultBranch") or "main"
        self.git("init", "--quiet", f"--initial-branch={branch}")
        names = "\0".join(files).encode(errors="surrogateescape")
        listed = ("--pathspec-from-file=-", "--pathspec-file-nul")
        self.git(*AS_IT_IS, "--literal-pathspecs", "add", "--force", *listed, input=names)
        identity = () if self.has_identity() else FALLBACK_IDENTITY
        self.git(*AS_IT_IS, *identity, "commit", "--quiet", "--message", message)
        self.require_committed(files)
        return self.line("rev-parse", "HEAD")

    def require_committed(self, files: Sequence[str]) -> None:
        """The last commit has these files and no other, byte for byte."""
        listing = self.git("ls-tree", "-r", "-z", "HEAD").decode(errors="surrogateescape")
        entries = [entry.split("\t", 1) for entry in listing.split("\0") if entry]
        committed = {path: meta.split()[2] for meta, path in entries}
        names = "".join(f"{name}\n" for name in files).encode(errors="surrogateescape")
        ids = self.git("hash-object", "--no-filters", "--stdin-paths", input=names).decode()
        made = dict(zip(files, ids.split(), strict=True))
        if different := sorted({name for name, _ in made.items() ^ committed.items()}):
            raise AuthkitError(
                f"git's first commit is not what was made: {', '.join(different[:5])}",
                "your git converts files (see git config --show-origin --list); or use --no-git",
            )


def around(directory: Path) -> Path | None:
    """The work tree that a directory lies in, which may not exist yet; one that ignores it is none.

    Git's word is asked for that alone: it refuses to speak of another user's repository.
    """
    places = (directory, *directory.parents)
    top = next((place for place in places if is_work_tree(place)), None)
    if top is None:
        return None
    there = next(place for place in places if place.is_dir())
    ignored = Repository(there).says_yes("check-ignore", "--quiet", f"{directory}/")
    return None if ignored and top != directory else top


def is_work_tree(directory: Path) -> bool:
    """Whether a repository's files begin here: `.git` is one, or a file that leads to it."""
    inside = directory / ".git"
    return inside.is_file() or (inside / "HEAD").exists()


def verb(arguments: Sequence[str]) -> str:
    """`commit` of `-c key=value commit …`."""
    words = iter(arguments)
    for word in words:
        if word == "-c":
            next(words)
        elif not word.startswith("-"):
            return word
    return ""
