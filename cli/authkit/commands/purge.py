"""`authkit purge`: what has expired."""

from authkit.project.project import Project
from authkit.terminal import console
from authkit.terminal.options import JsonOption, ProjectOption


def purge(project: ProjectOption = None, json: JsonOption = False) -> None:
    """Delete what has expired, such as ended sessions and old reset links.

    Run it once a day: cron, a Kubernetes CronJob, a systemd timer. `authkit doctor` tells you if it
    has not run for a week.

    Examples:

      authkit purge
    """
    deleted = Project.find(project).manage("purge")
    if json:
        console.print_json(deleted)
        return
    for what, count in deleted.items():
        console.success(f"{count} {what} deleted")
