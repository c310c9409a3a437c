"""A new project's first steps, in its own environment: database, migrations, seed."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from authkit.new import env_file
from authkit.new.made import Made
from authkit.new.plan import Plan
from authkit.project.project import Project, failure_of
from authkit.terminal.errors import AuthkitError

PROVISION: Final = Path(__file__).with_name("provision_database.py")


def prepare_database(plan: Plan, project: Project, made: Made, undo: ExitStack) -> list[str]:
    """Create what is missing, migrate, seed; return the settings that were kept out meanwhile."""
    with only_own_settings(project) as overriding:
        if plan.answers.database == "postgres":
            with made.step("database"):
                create_database(plan.database_url, project, undo)
        with made.step("migrate"):
            migrate(project)
        with made.step("seed"):
            made.users = seed(project)
    return overriding


def migrate(project: Project) -> None:
    result = project.run(["-m", "alembic", "upgrade", "head"])
    if result.returncode != 0:
        raise without_traces(failure_of(result, "alembic upgrade head"))


def seed(project: Project) -> list[dict[str, Any]]:
    try:
        users: list[dict[str, Any]] = project.manage("seed")
    except AuthkitError as failure:
        raise without_traces(failure) from failure
    return users


def without_traces(failure: AuthkitError) -> AuthkitError:
    """A failure whose hint does not lead into the directory that is about to vanish."""
    hint = "nothing was left behind; --no-install writes the files alone, to look into it there"
    return AuthkitError(failure.message, hint, failure.exit_code)


def create_database(url: str, project: Project, undo: ExitStack) -> None:
    """Create the PostgreSQL database when it is missing; drop it again if `new` fails."""
    result = project.run([str(PROVISION)], input=url)
    if result.returncode != 0:
        raise failure_of(result, "CREATE DATABASE")
    if result.stdout.strip() == "created":
        undo.callback(project.run, [str(PROVISION), "drop"], input=url)


@contextmanager
def only_own_settings(project: Project) -> Iterator[list[str]]:
    """Keep the caller's DATABASE_URL and the like away from the new project's first steps.

    The environment wins over `.env`; a shell that is set up for another project would otherwise
    have that project's database migrated and seeded.
    """
    names = env_file.setting_names(project.root / ".env.example")
    # Bytecode that the first step writes is what makes the second, and `serve`, start fast.
    names |= {"PYTHONDONTWRITEBYTECODE"}
    hidden = {name: value for name, value in os.environ.items() if name in names}
    for name in hidden:
        del os.environ[name]
    try:
        yield sorted(hidden.keys() - {"PYTHONDONTWRITEBYTECODE"})
    finally:
        os.environ.update(hidden)
