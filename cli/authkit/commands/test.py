"""`authkit test`: the project's own suite and its coverage gate."""

from typing import Annotated

import typer

from authkit.project.project import Project
from authkit.project.suite import is_partial, test_services
from authkit.terminal import console
from authkit.terminal.options import ProjectOption


def test(
    pytest_args: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- PYTEST_ARGS]", help="Handed to pytest.", show_default=False),
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Run the project's tests; the exit code is the gate.

    The gate is the tests and their coverage, as the project's pyproject.toml says. If you run only
    some tests (-k, -m, a file), coverage does not count. The suite uses PostgreSQL and Redis if the
    project's settings do, in a database of its own.

    Examples:

      authkit test
      authkit test -- -x -k login
    """
    target = Project.find(project)
    args = list(pytest_args or [])
    if is_partial(args, target.root) and not any(arg.startswith("--cov") for arg in args):
        console.message("a part of the tests: their coverage is no gate")
        args = ["--no-cov", *args]
    target.exec(["-m", "pytest", *args], extra_environ=test_services(target.settings()))
