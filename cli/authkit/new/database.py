"""The PostgreSQL database of a new project: made, or found and looked at before it is used."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from authkit.new.made import Made
from authkit.project.outcome import failure_of
from authkit.project.project import Project
from authkit.terminal.errors import AuthkitError

PROVISION: Final = Path(__file__).with_name("provision_database.py")
SHOWN: Final = 5
"""How many of somebody's tables a message names."""


def provide_database(url: str, project: Project, made: Made, undo: ExitStack) -> None:
    """Create the database, to be dropped again if `new` fails; refuse one that is somebody's."""
    name = unquote(urlsplit(url).path.removeprefix("/"))
    with made.step("database"):
        found = run(project, url)
    if found["became"] == "created":
        undo.callback(take_back, project, url, name, made)
        return
    if found["foreign"]:
        tables = ", ".join(found["foreign"][:SHOWN])
        more = " and others" if len(found["foreign"]) > SHOWN else ""
        raise AuthkitError(
            f"the database {name} exists and holds what is not this project's: {tables}{more}",
            "nothing was written; name a database of its own with --database-url",
        )
    holds = f"with {found['users']} users, which it would share" if found["tables"] else "empty"
    made.screen.warning(f"the database {name} exists already, {holds}")
    if not made.screen.confirm(f"Use the database {name}?"):
        raise AuthkitError("stopped; nothing was left behind")
    made.stays = f"what was made in the database {name}, which existed before, stays there"
    undo.callback(made.screen.warning, made.stays)


def run(project: Project, url: str, *action: str) -> dict[str, Any]:
    result = project.run([str(PROVISION), *action], input=url)
    if result.returncode != 0:
        raise failure_of(result, "authkit's own script for the database")
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def take_back(project: Project, url: str, name: str, made: Made) -> None:
    """Drop what was created; when that can't be, say what stays."""
    try:
        became = run(project, url, "drop")["became"]
    except AuthkitError as failure:
        made.screen.warning(f"the database {name} was made and stays: {failure.message}")
        return
    if became == "used":
        made.screen.warning(f"the database {name} was made and stays: somebody else uses it")
