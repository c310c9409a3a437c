"""What `authkit add` and `authkit remove` share: one part more or less, on the screen."""

from pathlib import Path
from typing import TYPE_CHECKING

from authkit.commands.update import end, show
from authkit.project.project import Project
from authkit.terminal import console

if TYPE_CHECKING:
    from authkit.parts.change import Request
    from authkit.parts.report import Action


def change_part(
    directory: Path | None,
    action: "Action",
    part: str,
    *,
    dry_run: bool,
    json: bool,
    drop_data: bool = False,
) -> None:
    """Merge the part in or out, or show what that would do."""
    from authkit.parts import change

    request = change.request(Project.find(directory), action, part, drop_data=drop_data)
    if request.is_done:
        show_nothing_to_do(request, json=json)
    elif dry_run:
        with change.prepared(request) as (report, _):
            show(report, as_json=json, tense="would be ")
    else:
        report = change.change(request, console)
        show(report, as_json=json, tense="")
        end(report)


def show_nothing_to_do(request: "Request", *, json: bool) -> None:
    from authkit.parts.report import PartReport

    if json:
        parts = request.answers.parts or ()
        report = PartReport(request.versions, action=request.action, part=request.part, parts=parts)
        console.print_json(report.as_json())
    else:
        state = "is there already" if request.action == "add" else "is not there"
        console.success(f"The part {request.part} {state}.")
