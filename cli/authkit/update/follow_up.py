"""After the merge: environment, migrations, contract, tests, in this order."""

import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from authkit.contract.compare import compare
from authkit.project import contract_file, database_copy, environment, lockfile, surroundings
from authkit.project.outcome import failure_of
from authkit.project.project import Project
from authkit.project.repository import Repository
from authkit.project.suite import test_services
from authkit.terminal.errors import INTERRUPTED, AuthkitError
from authkit.terminal.screen import Screen
from authkit.update.report import STEPS, Report

MIGRATE: Final = "authkit migrate"
TEST: Final = "authkit test"


def follow_up(project: Project, report: Report, screen: Screen) -> None:
    """Each of STEPS, in this order; what fails is left to do, with the rest."""
    if not (project.root / ".venv" / "pyvenv.cfg").is_file():  # its owner runs it otherwise
        report.left_to_do = [install_command(project), *after_install(project)]
        return
    functions = (bring_environment_up_to_date, migrate, write_contract, run_tests)
    commands = (install_command(project), MIGRATE, contract_file.WRITE, TEST)
    for name, step, command in zip(STEPS, functions, commands, strict=True):
        if report.problem is not None:
            report.left_to_do.append(command)
            continue
        try:
            finished = step(project, report, screen)
        except AuthkitError as failure:
            report.problem = failure
            finished = False
        except Exception as bug:  # noqa: BLE001 - the merge stands; its report and undo must be seen
            report.problem = AuthkitError(f"{name}: {type(bug).__name__}: {bug}", command)
            finished = False
        except KeyboardInterrupt:
            report.problem = AuthkitError(f"interrupted: {name}", command, INTERRUPTED)
            finished = False
        if finished:
            report.done.append(name)
        else:
            report.left_to_do.append(command)


def after_install(project: Project) -> list[str]:
    """The commands of the steps after the first."""
    contract = [contract_file.WRITE] if contract_file.can_be_written(project) else []
    return [MIGRATE, *contract, TEST]


def install_command(project: Project) -> str:
    """What brings the environment up to date; an owner without our lock has a way of their own."""
    if (project.root / environment.REQUIREMENTS).is_file():
        return lockfile.install_command(Path(environment.REQUIREMENTS))
    return "install what pyproject.toml names, in your own way: you deleted its lock"


def bring_environment_up_to_date(project: Project, report: Report, screen: Screen) -> bool:
    """Install what the merged lock pins and `.venv` lacks; what the owner added stays."""
    path = project.root / environment.REQUIREMENTS
    if not path.is_file():
        return False
    with screen.step("environment"):
        if lockfile.differences(project, path, with_extras=False):
            environment.install(project.root)
    return True


def migrate(project: Project, report: Report, screen: Screen) -> bool:
    """Apply the new migrations, but production's only by its owner's own hand."""
    if project.run(["-m", "alembic", "current", "--check-heads"]).returncode == 0:
        return True
    if project.settings().get("ENVIRONMENT", "").lower() == "production":
        screen.warning("these are production's settings: its database is not migrated here")
        return False
    before = revisions(project)
    if not screen.confirm("There are new migrations. Migrate the database now?"):
        return False
    report.backup = database_copy.keep(project, screen)
    if report.backup is not None:
        keep_out_of_git(project, "*.backup-*")
    # Resetting alone would leave the database at a revision that has no file any more.
    report.undo = f"{MIGRATE} --to {before} && {report.undo}"
    with screen.step("migrate"):
        result = project.run(["-m", "alembic", "upgrade", "head"])
        if result.returncode != 0:
            raise failure_of(result, "alembic upgrade head")
    return True


def keep_out_of_git(project: Project, pattern: str) -> None:
    """Have git ignore a copy of the database, whose hashes are not for a commit or a stash.

    Before 0.5.1 `.gitignore` did not name it, and taking the update back brings that one again.
    """
    name = Repository(project.root).line("rev-parse", "--git-path", "info/exclude")
    exclude = project.root / name
    with suppress(OSError):
        known = exclude.read_text(encoding="utf-8") if exclude.is_file() else ""
        if pattern not in known.splitlines():
            exclude.parent.mkdir(exist_ok=True)
            exclude.write_text(
                f"{known.rstrip()}\n{pattern}\n".lstrip(), encoding="utf-8", newline="\n"
            )


def revisions(project: Project) -> str:
    """Where the database is: a revision, or `base`; why it can't be asked, when that is so."""
    result = project.run(["-m", "alembic", "current"])
    if result.returncode != 0:
        raise failure_of(result, "alembic current")
    return " ".join(re.findall(r"^(\S+)(?: \(.*\))*$", result.stdout, re.MULTILINE)) or "base"


def write_contract(project: Project, report: Report, screen: Screen) -> bool:
    """Write openapi.json anew, and find out whether that breaks clients.

    A project of before there was one gets it; an owner who deleted it has none.
    """
    if not contract_file.can_be_written(project):
        return True
    before = contract_file.committed(project, "HEAD")
    was_there = Repository(project.root).line("ls-tree", "HEAD", f"./{contract_file.COMMAND}")
    if before is None and was_there:
        return True
    with screen.step("contract"):
        contract_file.write(project)
        Repository(project.root).git("add", "--", contract_file.NAME)
    if before is not None:
        report.contract = compare(before, contract_file.in_file(project.root / contract_file.NAME))
    return True


def run_tests(project: Project, report: Report, screen: Screen) -> bool:
    """The project's own suite and gate, quietly; its last lines when it fails."""
    with screen.step("test"):
        result = subprocess.run(
            [str(project.python), "-m", "pytest", "-q"],
            cwd=project.root,
            env=surroundings.for_reading(project.environ()) | test_services(project.settings()),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if result.returncode != 0:
            tail = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
            screen.message(tail, whole=True)
            raise AuthkitError("the project's tests fail after the merge", TEST)
    return True
