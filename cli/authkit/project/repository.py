"""The owner's git repository: first commit, state, identity."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authkit.terminal.errors import AuthkitError

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
        environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        environ |= {k: v for k, v in os.environ.items() if k.startswith(IDENTITY_VARIABLES)}
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=self.directory,
                env=environ,
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

    def has_identity(self) -> bool:
        """Whether git knows whom to name as a commit's author."""
        return self.attempt("var", "GIT_AUTHOR_IDENT").returncode == 0

    def commit_everything(self, message: str) -> str:
        """Make the repository with its first commit and return the commit's id.

        Hooks and signing are the owner's habits for their own commits; neither may stop this one.
        """
        branch = self.line("config", "init.defaultBranch") or "main"
        self.git("init", "--quiet", f"--initial-branch={branch}")
        self.git("add", "--all")
        identity = () if self.has_identity() else FALLBACK_IDENTITY
        habits = ("-c", f"core.hooksPath={os.devnull}", "-c", "commit.gpgSign=false")
        self.git(*habits, *identity, "commit", "--quiet", "--message", message)
        return self.line("rev-parse", "HEAD")


def verb(arguments: Sequence[str]) -> str:
    """`commit` of `-c key=value commit …`."""
    words = iter(arguments)
    for word in words:
        if word == "-c":
            next(words)
        elif not word.startswith("-"):
            return word
    return ""


IDENTITY_VARIABLES: Final = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_", "GIT_SSH")
