"""Rendering the template, whatever the user's git is told to do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from authkit import __version__
from authkit.project.project import MARKER, Project
from authkit.template.migrations import close_gaps
from authkit.template.source import template_bundle
from authkit.terminal.errors import AuthkitError


@dataclass(frozen=True)
class Answers:
    """What the template asks for."""

    project_name: str
    database: str
    limits: str
    parts: tuple[str, ...] | None = None
    """None: those that the template has unless told; a project of before 0.6.0 has said nothing."""

    @classmethod
    def of(cls, project: Project) -> "Answers":
        """What the project was made with."""
        given = project.answers()
        try:
            name, database, limits = (
                str(given[each]) for each in ("project_name", "database", "limits")
            )
        except KeyError as missing:
            raise AuthkitError(
                f"{MARKER} lacks the answer {missing}",
                f"put it back; `git log -p -- {MARKER}` shows what it was",
            ) from None
        return cls(name, database, limits, project.parts())

    def as_data(self) -> dict[str, object]:
        """As copier takes them."""
        data = asdict(self)
        parts = data.pop("parts")
        return data if parts is None else data | {"parts": list(parts)}


def render(destination: Path, answers: Answers, version: str = __version__) -> None:
    """Write the files of template `version` into the new directory `destination`."""
    source = template_bundle()
    with untouched_git():
        from authkit.template.copying import CopierError, copy

        try:
            copy(source, destination, answers.as_data(), f"v{version}")
        except ValueError as error:
            raise AuthkitError(
                f"template {version} can't be rendered: {error}",
                f"the answers are those of {MARKER}, or of the command line",
            ) from error
        except (CopierError, OSError) as error:
            # A failure of git's is an OSError of plumbum's, with git's words in `stderr`.
            said = str(getattr(error, "stderr", "") or error).strip() or type(error).__name__
            reason = said.splitlines()[-1]
            raise AuthkitError(
                f"template {version} can't be rendered: {reason}",
                "nothing was left behind; make sure that there is room on the disk",
            ) from error
    close_gaps(destination)


@contextmanager
def untouched_git() -> Iterator[None]:
    """Keep the user's git configuration out: hooks, autocrlf, an inherited GIT_DIR.

    Copier runs git on the template. Whatever the user has configured for their own repositories
    must not change a byte of what is rendered.
    """
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    os.environ.setdefault("PATH", os.defpath)  # where the shell and we find git, copier looks not
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
