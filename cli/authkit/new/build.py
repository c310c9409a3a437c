"""Making a new project: all of it, or nothing.

Everything is built in a hidden directory beside the target and renamed at the end. Each change
outside of it registers how to take it back (`undo`); a failure, Ctrl-C or SIGTERM takes back all.
"""

import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from authkit import __version__
from authkit.new import choices, env_file
from authkit.project import environment
from authkit.project.project import Project, failure_of
from authkit.project.repository import Repository
from authkit.template.render import Answers, place_template, render
from authkit.terminal import console
from authkit.terminal.errors import AuthkitError

REPLACED: Final = ".before-authkit"
"""Where `--force` puts the owner's files that the project's own take the place of."""

PROVISION: Final = Path(__file__).with_name("provision_database.py")


@dataclass(frozen=True)
class Plan:
    """What `authkit new` was asked for."""

    target: Path
    answers: Answers
    database_url: str
    redis_url: str
    force: bool = False
    git: bool = True
    install: bool = True


@dataclass
class Made:
    """What came of it."""

    users: list[dict[str, Any]] = field(default_factory=list)
    commit: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    overriding: list[str] = field(default_factory=list)
    """Settings in the caller's environment, which will win over the new `.env`."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show a step and keep its time."""
        started = time.perf_counter()
        with console.step(name):
            yield
        self.seconds[name] = round(time.perf_counter() - started, 2)


def list_files(plan: Plan) -> list[str]:
    """What `make` would write, `.env` included; nothing is left behind."""
    check_target(plan)
    with ExitStack() as undo, os_failures_explained(plan.target):
        place_template()
        stage = make_stage(plan.target, undo)
        render(stage, plan.answers)
        files = [p.relative_to(stage).as_posix() for p in stage.rglob("*") if not p.is_dir()]
        return sorted([*files, ".env"])


def make(plan: Plan) -> Made:
    """Make the project and put it in its place."""
    check_target(plan)
    if plan.install and plan.answers.database == "postgres":
        choices.require_postgres(plan.database_url)
    made = Made()
    with stop_signals_raised(), ExitStack() as undo, os_failures_explained(plan.target):
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
        env_file.write(stage / ".env", plan.answers.project_name, url, redis_url)
    if plan.install:
        made.overriding = prepare_database(plan, Project(stage), made, undo)
    # A repository that is there already is its owner's to commit to.
    if plan.git and not (plan.target / ".git").exists():
        with made.step("git"):
            message = f"Generate {plan.answers.project_name} with authkit {__version__}"
            made.commit = Repository(stage).commit_everything(message)


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


def check_target(plan: Plan) -> None:
    """Refuse what can't become the project's directory."""
    target = plan.target
    if target.exists() and not target.is_dir():
        raise AuthkitError(f"{target} exists and is not a directory", "choose another path")
    if target.is_dir() and any(target.iterdir()) and not plan.force:
        raise AuthkitError(
            f"{target} is not empty",
            "choose another path; --force adds the project to what is there "
            f"and keeps what it replaces in {REPLACED}/",
        )


def make_stage(target: Path, undo: ExitStack) -> Path:
    """The hidden directory beside the target, with the directories that lead there."""
    missing = [parent for parent in target.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        undo.callback(remove_if_empty, parent)
    stage = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    stage.mkdir()
    undo.callback(shutil.rmtree, stage, ignore_errors=True)
    return stage


def remove_if_empty(directory: Path) -> None:
    with suppress(OSError):
        directory.rmdir()


def put_in_place(stage: Path, target: Path, undo: ExitStack) -> list[str]:
    """Rename the finished project to its target; return what of the owner's it replaced.

    Into a directory that exists (an empty one may be somebody's current directory, and with
    `--force` it has files), the project moves entry by entry.
    """
    if not target.exists():
        stage.rename(target)
        return []
    backup = next(path for path in backup_paths(target) if not path.exists())
    replaced = list(move_into(stage, target, backup, undo))
    if replaced:
        # What is kept there may be an .env, which must not get committed by accident.
        (backup / ".gitignore").write_text("*\n", encoding="utf-8")
    return [path.relative_to(target).as_posix() for path in replaced]


def backup_paths(target: Path) -> Iterator[Path]:
    yield target / REPLACED
    number = 2
    while True:
        yield target / f"{REPLACED}-{number}"
        number += 1


def move_into(stage: Path, target: Path, backup: Path, undo: ExitStack) -> Iterator[Path]:
    """Move every entry; directories that exist on both sides are merged, but for `.venv`."""
    for source in sorted(stage.iterdir()):
        destination = target / source.name
        if is_directory(source) and is_directory(destination) and source.name != ".venv":
            yield from move_into(source, destination, backup / source.name, undo)
            continue
        if os.path.lexists(destination):
            make_directories(backup, undo)
            move(destination, backup / source.name, undo)
            yield backup / source.name
        move(source, destination, undo)


def is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def make_directories(directory: Path, undo: ExitStack) -> None:
    for path in reversed([directory, *directory.parents]):
        if not path.exists():
            path.mkdir()
            undo.callback(remove_if_empty, path)


def move(source: Path, destination: Path, undo: ExitStack) -> None:
    source.rename(destination)
    undo.callback(destination.rename, source)


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


@contextmanager
def stop_signals_raised(outcome: str = "nothing was left behind") -> Iterator[None]:
    """Make SIGTERM and SIGHUP unwind like Ctrl-C does, and let no second one stop the undoing."""

    def stop(signum: int, frame: FrameType | None) -> None:
        for each in caught:
            signal.signal(each, signal.SIG_IGN)
        if signum == signal.SIGINT:
            raise KeyboardInterrupt
        name = signal.Signals(signum).name
        raise AuthkitError(f"stopped by {name}; {outcome}", exit_code=128 + signum)

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    caught = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before: dict[int, Callable[..., Any] | int | None] = {
        each: signal.signal(each, stop) for each in caught
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
