"""`authkit client`: a typed client of the API."""

from pathlib import Path
from typing import Annotated

import typer

from authkit.project import contract_file
from authkit.project.project import Project
from authkit.terminal import console
from authkit.terminal.options import ProjectOption


def client(
    language: Annotated[
        str, typer.Argument(metavar="typescript|python", help="The client's language.")
    ],
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A new or empty directory, or an earlier client, which is replaced."
        ),
    ],
    project: ProjectOption = None,
) -> None:
    """Make a typed client of the API, with the generator that we advise.

    For TypeScript that is @hey-api/openapi-ts, run by npx; for Python it is openapi-python-client,
    run by uv. Both come from the network, in the version that we tried. Errors are typed like
    answers. Other generators read openapi.json: docs/clients.md of authkit has a table.

    Examples:

      authkit client typescript ../web/src/api
      authkit client python ../jobs/api_client
    """
    from authkit.clients.generators import generator_of
    from authkit.clients.make import make, require_replaceable

    generator = generator_of(language)
    require_replaceable(directory)
    document = contract_file.current(Project.find(project))
    with console.step(f"{generator.name} {generator.version}"):
        make(document, generator, directory.absolute())
    console.success(f"The client is in {directory}.")
