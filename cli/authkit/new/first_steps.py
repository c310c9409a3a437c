"""A new project's first steps, in its own environment: database, migrations, seed."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from authkit.new.database import provide_database
from authkit.new.made import Made
from authkit.new.plan import Plan
from authkit.project.outcome import answer_of, failure_of
from authkit.project.project import Project
from authkit.project.setting_sources import documented
from authkit.terminal.errors import AuthkitError

MIGRATE_AND_SEED: Final = Path(__file__).with_name("migrate_and_seed.py")
MIGRATED: Final = "migrated\n"

COMPILE: Final = "import app.main"
"""Nothing in a new environment is compiled. While the migrations are applied, another core compiles
what comes after them; it saves a quarter of the time until the API answers."""


def prepare_database(plan: Plan, project: Project, made: Made, undo: ExitStack) -> list[str]:
    """Create what is missing, migrate, seed; return the settings that were kept out meanwhile."""
    with only_own_settings(project) as overriding:
        stays = provide_database(plan.database_url, project, made, undo)
        migrate_and_seed(project, made, stays, undo)
    return overriding


def migrate_and_seed(project: Project, made: Made, stays: str, undo: ExitStack) -> None:
    """Both in one process: half of the time of either is the start."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr,
        project.started(["-c", COMPILE], subprocess.DEVNULL),
        project.started([str(MIGRATE_AND_SEED)], stderr) as process,
    ):
        with made.step("migrate"):
            said = list[str]()
            for line in process.stdout or ():
                if line == MIGRATED:
                    break
                said.append(line)
            else:
                failed = ended(process, "".join(said), stderr)
                raise without_traces(failure_of(failed, "alembic upgrade head"), made)
            read = os.fstat(stderr.fileno()).st_size
        if stays:
            made.stays = stays
            undo.callback(made.screen.warning, stays)
        with made.step("seed"):
            result = ended(process, "".join(process.stdout or ()), stderr, skip=read)
            try:
                made.users = answer_of(result, "seed")
            except AuthkitError as failure:
                raise without_traces(failure, made) from failure


def ended(
    process: subprocess.Popen[str], stdout: str, stderr: IO[str], skip: int = 0
) -> subprocess.CompletedProcess[str]:
    """What came of it, with what it wrote to `stderr` after the first `skip` bytes."""
    code = process.wait()
    stderr.seek(skip)
    return subprocess.CompletedProcess(process.args, code, stdout, stderr.read())


def without_traces(failure: AuthkitError, made: Made) -> AuthkitError:
    """A failure whose hint does not lead into the directory that is about to vanish."""
    hint = f"{made.left_behind}; --no-install writes the files alone, to look into it there"
    return AuthkitError(failure.message, hint, failure.exit_code)


@contextmanager
def only_own_settings(project: Project) -> Iterator[list[str]]:
    """Keep the caller's DATABASE_URL and the like away from the new project's first steps.

    The environment wins over `.env`; a shell that is set up for another project would otherwise
    have that project's database migrated and seeded.
    """
    names = documented(project.root / ".env.example")
    # Bytecode that the first step writes is what makes the second, and `serve`, start fast.
    names |= {"PYTHONDONTWRITEBYTECODE"}
    hidden = {name: value for name, value in os.environ.items() if name in names}
    for name in hidden:
        del os.environ[name]
    try:
        yield sorted(hidden.keys() - {"PYTHONDONTWRITEBYTECODE"})
    finally:
        os.environ.update(hidden)
