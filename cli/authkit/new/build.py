"""Making a new project: all of it, or nothing.

Everything is built in a hidden directory, in the target or beside it, and renamed at the end. Each
change outside of it registers how to take it back (`undo`); a failure, Ctrl-C or SIGTERM takes back
all.
"""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from authkit import __version__
from authkit.new import choices, env_file
from authkit.new.database import check_place
from authkit.new.first_steps import prepare_database
from authkit.new.made import Made
from authkit.new.placement import check_target, make_stage, put_in_place
from authkit.new.plan import Plan
from authkit.project import contract_file, environment
from authkit.project.project import Project
from authkit.project.repository import Repository, around
from authkit.project.system import remove_tree
from authkit.template.render import render
from authkit.terminal.errors import AuthkitError
from authkit.terminal.screen import Screen
from authkit.terminal.signals import stop_signals_raised


def list_files(plan: Plan) -> list[str]:
    """What `make` would write, `.env` included; nothing is left behind."""
    check_target(plan)
    with tempfile.TemporaryDirectory(prefix="authkit-new-") as scratch:
        render(Path(scratch), plan.answers)
        made = [".env", contract_file.NAME] if plan.install else [".env"]
        return sorted([*files_in(Path(scratch)), *made])


def files_in(directory: Path) -> list[str]:
    """Every file below, by its path from there."""
    return sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()
    )


def make(plan: Plan, screen: Screen) -> Made:
    """Make the project and put it in its place."""
    check_target(plan)
    check_place(plan.database_url, plan.target)
    if plan.install and plan.answers.database == "postgres":
        choices.require_postgres(plan.database_url)
    made = Made(screen)
    with (
        stop_signals_raised(lambda: made.left_behind),
        os_failures_explained(plan.target, made),
        ExitStack() as undo,
    ):
        stage = make_stage(plan.target, undo)
        with made.step("render"):
            render(stage, plan.answers)
        build(plan, stage, made, undo)
        check_target(plan, stage)  # a minute has passed
        made.replaced = put_in_place(stage, plan.target, undo)
        undo.pop_all()
    remove_tree(stage)
    return made


def build(plan: Plan, stage: Path, made: Made, undo: ExitStack) -> None:
    """Everything after the rendering, inside the hidden directory."""
    rendered = files_in(stage)
    if plan.install:
        with made.step("environment"):
            environment.create(stage, plan.answers.project_name)
            environment.install(stage)
    with made.step("secrets"):
        url, redis_url = plan.database_url, plan.redis_url
        env_file.write(stage / ".env", plan.answers.project_name, url, redis_url, plan.email_change)
    if plan.install:
        made.overriding = prepare_database(plan, Project(stage), made, undo)
    made.inside = around(plan.target) if plan.git else None
    if plan.git and made.inside is None:
        with made.step("git"):
            message = f"Generate {plan.answers.project_name} with authkit {__version__}"
            contract = [contract_file.NAME] if (stage / contract_file.NAME).is_file() else []
            made.commit = Repository(stage).commit_first([*rendered, *contract], message)


@contextmanager
def os_failures_explained(target: Path, made: Made) -> Iterator[None]:
    """No disk, no permission: one sentence."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        fix = "make room" if full else "choose a place that you may write to"
        raise AuthkitError(
            f"{target} can't be made: {error.strerror or error} ({error.filename})",
            f"{made.left_behind}; {fix}, then try again",
        ) from error
