"""Finding a generated project and running something in its own environment."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from authkit.project import surroundings, system
from authkit.project.outcome import answer_of
from authkit.terminal.errors import AuthkitError, UsageError

MARKER = ".copier-answers.yml"


def make_environment() -> str:
    """The command that makes a project's environment, in the project."""
    install = f"{system.in_environment('python')} -m pip install -r requirements-dev.txt"
    return f"{system.plain_python()} -m venv --clear .venv && {install}"


@dataclass(frozen=True)
class Project:
    """A generated project, known by its root."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> "Project":
        """The project that contains `start`, or the current directory.

        One that was not named itself must be the caller's own: see `refuse_strangers`.
        """
        origin = from_here(start or Path())
        if ".." in origin.parts:  # "/a/b/../c" in a message or a command is hard to read
            origin = origin.resolve()
        if not origin.is_dir():
            raise UsageError(f"there is no directory {origin}", "check the path after --project")
        for directory in (origin, *origin.parents):
            if (directory / MARKER).is_file():
                if start is None or directory != origin:
                    refuse_strangers(directory)
                return cls(directory)
        raise AuthkitError(
            f"{origin} is not inside a project made by authkit",
            "change into one, name it with --project DIR, or make one: authkit new myapi",
        )

    @property
    def python(self) -> Path:
        """The interpreter of the project's environment."""
        python = system.interpreter(self.root / ".venv")
        try:
            if python.exists():
                return python
        except OSError as error:
            raise self.unusable(f"can't be read: {error.strerror}") from None
        # A link whose interpreter has been removed exists no more than a missing one.
        raise self.unusable("is broken" if python.is_symlink() else "is missing")

    def unusable(self, state: str) -> AuthkitError:
        return AuthkitError(
            f"the project's environment {self.root / '.venv'} {state}",
            f"make it, in {self.root}: {make_environment()}",
        )

    def environ(self) -> dict[str, str]:
        """The environment for the project's processes: the caller's, with its `.venv` active."""
        environ = surroundings.for_project()
        environ["VIRTUAL_ENV"] = str(self.root / ".venv")
        environ["PATH"] = os.pathsep.join([str(self.python.parent), environ.get("PATH", "")])
        return environ

    def run(
        self, args: Sequence[str], *, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the project's Python with `args` (`["-m", "alembic", …]`) in the project's root."""
        try:
            return subprocess.run(
                [str(self.python), *args],
                cwd=self.root,
                env=surroundings.for_reading(self.environ()),
                input=input or "",
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise self.unusable(f"can't be started: {error.strerror}") from None

    @contextmanager
    def started(
        self, args: Sequence[str], stderr: IO[str] | int
    ) -> Iterator[subprocess.Popen[str]]:
        """Like `run`, but what it prints is read while it runs; a failure meanwhile ends it."""
        try:
            process = subprocess.Popen(
                [str(self.python), *args],
                cwd=self.root,
                env=surroundings.for_reading(self.environ()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise self.unusable(f"can't be started: {error.strerror}") from None
        with process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise

    def exec(self, args: Sequence[str], *, extra_environ: dict[str, str] | None = None) -> NoReturn:
        """Become the project's Python, in the project's root."""
        command = [str(self.python), *args]
        environ = self.environ() | (extra_environ or {})
        sys.stdout.flush()
        sys.stderr.flush()
        os.chdir(self.root)
        try:
            system.become(command, environ)
        except OSError as error:
            raise self.unusable(f"can't be started: {error.strerror}") from None

    def manage(self, *args: str, operands: Sequence[str] = (), input: str | None = None) -> Any:
        """What `python -m app.manage ARGS --json` answers; its failures become ours.

        `operands` are texts that somebody chose: not even "--help" among them is an option.
        """
        after = ["--", *operands] if operands else []
        result = self.run(["-m", "app.manage", *args, "--json", *after], input=input)
        return answer_of(result, *args, operands=operands)

    def settings(self) -> dict[str, str]:
        """`.env`, overlaid by the environment, as the project itself reads them."""
        from dotenv import dotenv_values

        try:
            values = dotenv_values(self.root / ".env", encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise AuthkitError(
                f"{self.root / '.env'} can't be read", "save it as UTF-8, readable by this user"
            ) from None
        return {k.upper(): v for k, v in [*values.items(), *os.environ.items()] if v is not None}

    def answers(self) -> dict[str, Any]:
        """The answers that the project was made with, and the version of its template."""
        import yaml

        try:
            answers = yaml.safe_load((self.root / MARKER).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            answers = None
        if not isinstance(answers, dict):
            raise AuthkitError(f"{self.root / MARKER} can't be read", f"git checkout -- {MARKER}")
        return answers

    def parts(self) -> tuple[str, ...] | None:
        """The parts that it has; None when it is from before there were any to choose."""
        answer = self.answers().get("parts")
        if answer is None:
            return None
        if not isinstance(answer, list) or not all(isinstance(name, str) for name in answer):
            raise AuthkitError(
                f"`parts` in {self.root / MARKER} is no list of names", f"git checkout -- {MARKER}"
            )
        return tuple(answer)


def refuse_strangers(root: Path) -> None:
    """Work in nobody else's project unasked: its Python runs as the caller, its keys verify.

    In a shared directory anybody can put one above us (git: `safe.directory`). Links count as who
    made them.
    """
    callers = system.callers()
    if callers is None:
        return
    for path in (root, root / MARKER, root / ".venv"):
        try:
            owner = path.lstat().st_uid
        except OSError:
            continue
        if owner not in callers:
            raise StrangersProject(
                f"{path} belongs to somebody else, so nothing of that project is run",
                f"if you trust it, name it: --project {shlex.quote(str(root))}",
            )


class StrangersProject(AuthkitError):
    """A project was found that is not the caller's own, and was not named."""


def from_here(path: Path) -> Path:
    """The path as an absolute one."""
    try:
        return path.absolute()
    except FileNotFoundError:
        raise AuthkitError(
            "the current directory has been removed", "change into one that exists"
        ) from None
