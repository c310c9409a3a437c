"""The database of a new project: made, or found and looked at before it is used."""

import json
import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from authkit.new.made import Made
from authkit.project.outcome import failure_of
from authkit.project.project import Project
from authkit.terminal.errors import AuthkitError, UsageError

PROVISION: Final = Path(__file__).with_name("provision_database.py")
SHOWN: Final = 5
"""How many of somebody's tables a message names."""


def check_place(url: str, target: Path) -> None:
    """Refuse a SQLite file that is named from the project on, and lies outside of it.

    Where the project's directory exists already, it is built one deeper: from there the same words
    name another file.
    """
    name = unquote(urlsplit(url).path.removeprefix("/")).removeprefix("file:")
    if url.startswith("sqlite") and not Path(name).is_absolute():
        file = Path(os.path.normpath(target / name))
        if not file.is_relative_to(target):
            raise UsageError(
                f"{name} lies outside of the project", f"name its whole path: sqlite:///{file}"
            )


def provide_database(url: str, project: Project, made: Made, undo: ExitStack) -> str:
    """Create the database, to be dropped again if `new` fails; refuse one that is somebody's.

    Returns what would stay, were `new` to fail after the migrations; a SQLite file of the project's
    own goes with the project.
    """
    name = unquote(urlsplit(url).path.removeprefix("/"))
    if url.startswith("sqlite"):
        file = Path(os.path.normpath(project.root / name.removeprefix("file:")))
        if file.is_relative_to(project.root):
            return ""
        name, url = str(file), f"file:{file}"
    with made.step("database"):
        found = run(project, url)
    if found["became"] == "created":
        undo.callback(take_back, project, url, name, made)
        return ""
    if found["became"] == "missing":
        undo.callback(remove_empty, Path(name))
        return f"the database {name}, which was made, stays there"
    if found["foreign"]:
        tables = ", ".join(found["foreign"][:SHOWN])
        more = " and others" if len(found["foreign"]) > SHOWN else ""
        raise AuthkitError(
            f"the database {name} exists and has tables of something else: {tables}{more}",
            "nothing was written; name a database of its own with --database-url",
        )
    made.screen.warning(f"the database {name} exists already, {contents(found)}")
    if not made.screen.confirm(f"Use the database {name}?"):
        raise AuthkitError("stopped; nothing was left behind")
    return f"what was made in the database {name}, which existed before, stays there"


def contents(found: dict[str, Any]) -> str:
    """What it holds, in a phrase."""
    users = f"{found['users']} user{'' if found['users'] == 1 else 's'}"
    holds = f"with {users} that it would share" if found["tables"] else "empty"
    schemas = ", ".join(found["schemas"][:SHOWN])
    return f"{holds} but for other schemas: {schemas}" if schemas else holds


def remove_empty(file: Path) -> None:
    """Remove a SQLite file in which nothing was made."""
    with suppress(OSError, sqlite3.Error):
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as connection:
            empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if empty:
            file.unlink()


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
