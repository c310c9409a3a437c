"""`authkit seed`: users to develop with."""

from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.options import JsonOption, ProjectOption


def seed(project: ProjectOption = None, json: JsonOption = False) -> None:
    """Make the development users; those that exist stay as they are.

    Each password is printed once, when its user is made.

    Examples:

      authkit seed
      authkit seed --json
    """
    users = Project.find(project).manage("seed")
    if json:
        console.print_json(users)
        return
    rows = [(user["email"], user["role"], user.get("password", "(unchanged)")) for user in users]
    tables.table(("email", "role", "password"), rows)
    if any("password" in user for user in users):
        console.message("Passwords are shown only now.", style="dim")
