"""Making a new project: all of it, or nothing.

Everything is built in a hidden directory beside the target and renamed at the end. Each change
outside of it registers how to take it back (`undo`); a failure, Ctrl-C or SIGTERM takes back all.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from authkit import __version__
from authkit.new import choices, env_file
from authkit.new.first_steps import prepare_database
from authkit.new.made import Made
from authkit.new.placement import check_target, make_stage, put_in_place
from authkit.new.plan import Plan
from authkit.project import environment
from authkit.project.project import Project
from authkit.project.repository import Repository
from authkit.template.render import render
from authkit.template.source import place_template
from authkit.terminal.errors import AuthkitError
from authkit.terminal.screen import Screen
from authkit.terminal.signals import stop_signals_raised


def list_files(plan: Plan) -> list[str]:
    """What `make` would write, `.env` included; nothing is left behind."""
    check_target(plan)
    with ExitStack() as undo, os_failures_explained(plan.target):
        place_template()
        stage = make_stage(plan.target, undo)
        render(stage, plan.answers)
        files = [p.relative_to(stage).as_posix() for p in stage.rglob("*") if not p.is_dir()]
        return sorted([*files, ".env"])


def make(plan: Plan, screen: Screen) -> Made:
    """Make the project and put it in its place."""
    check_target(plan)
    if plan.install and plan.answers.database == "postgres":
        choices.require_postgres(plan.database_url)
    made = Made(screen)
    with (
        stop_signals_raised("nothing was left behind"),
        ExitStack() as undo,
        os_failures_explained(plan.target),
    ):
        stage = make_stage(plan.target, undo)
        with made.step("render"):
            place_template()
            render(stage, plan.answers)
        build(plan, stage, made, undo)
        check_target(plan)  # a minute has passed
        made.replaced = put_in_place(stage, plan.target, undo)
        undo.pop_all()
    shutil.rmtree(stage, ignore_errors=True)
    return made


def build(plan: Plan, stage: Path, made: Made, undo: ExitStack) -> None:
    """Everything after the rendering, inside the hidden directory."""
    if plan.install:
        with made.step("environment"):
            environment.create(stage, plan.answers.project_name)
            environment.install(stage)
    with made.step("secrets"):
        url, redis_url = plan.database_url, plan.redis_url
        env_file.write(stage / ".env", plan.answers.project_name, url, redis_url, plan.email_change)
    if plan.install:
        made.overriding = prepare_database(plan, Project(stage), made, undo)
    # A repository that is there already is its owner's to commit to.
    if plan.git and not (plan.target / ".git").exists():
        with made.step("git"):
            message = f"Generate {plan.answers.project_name} with authkit {__version__}"
            made.commit = Repository(stage).commit_everything(message)


@contextmanager
def os_failures_explained(target: Path) -> Iterator[None]:
    """No disk, no permission: one sentence."""
    try:
        yield
    except OSError as error:
        raise AuthkitError(
            f"{target} can't be made: {error.strerror or error} ({error.filename})",
            "nothing was left behind; make room or choose another place, then try again",
        ) from error
