"""The copy of a SQLite file that is kept before its schema changes."""

from authkit.project.project import Project
from authkit.terminal.errors import UsageError
from authkit.terminal.screen import Screen


def keep(project: Project, screen: Screen) -> str | None:
    """Keep a copy and say where; None on PostgreSQL, and where there is nothing to keep.

    It is the project that makes it, `python -m app.manage backup`: it knows its own database.
    """
    url = project.settings().get("DATABASE_URL", "sqlite")  # the template's default
    if not url.strip().lower().startswith("sqlite"):
        return None
    try:
        path: str | None = project.manage("backup")["backup"]
    except UsageError:  # before 0.5.1 there was no such command
        screen.warning("no copy of the database is kept: run `authkit update` for that")
        return None
    if path is not None:
        screen.message(f"Kept a copy of the database: {path}")
    return path
