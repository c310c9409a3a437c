"""`authkit test`: the project's own suite and its coverage gate."""

from typing import Annotated

import typer

from authkit.project.project import Project
from authkit.project.suite import test_services
from authkit.terminal.options import ProjectOption


def test(
    pytest_args: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- PYTEST_ARGS]", help="Handed to pytest.", show_default=False),
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Run the project's tests; the exit code is the gate.

    The gate is the tests and their coverage, as pyproject.toml of the project says. The
    suite uses PostgreSQL and Redis when the project's settings do, in a database of its own.

    Examples:

      authkit test
      authkit test -- -x -k login --no-cov
    """
    target = Project.find(project)
    target.exec(
        ["-m", "pytest", *(pytest_args or [])], extra_environ=test_services(target.settings())
    )
