"""What adding or removing a part did, or would do."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from authkit.update.report import Report

Action = Literal["add", "remove"]
Data = Literal["none", "kept", "dropped", "created", "restored"]
"""What becomes of the part's tables; none, when it has no migration."""

SAID: Final[dict[Data, str]] = {
    "none": "it has no tables of its own",
    "kept": "its tables stay, with their migration; --drop-data drops them",
    "dropped": "a new migration drops its tables",
    "created": "its migration makes its tables",
    "restored": "its tables are there, since it was removed without --drop-data",
}


@dataclass
class PartReport(Report):
    """The report of an update between two sets of parts at one version."""

    action: Action = "add"
    part: str = ""
    parts: tuple[str, ...] = ()
    """Those that the project has afterwards."""
    data: Data = "none"

    @property
    def title(self) -> str:
        return f"{self.action} {self.part}: {SAID[self.data]}"

    @property
    def outcome(self) -> str:
        return {"add": "Added", "remove": "Removed"}[self.action]

    def as_json(self) -> dict[str, Any]:
        update = super().as_json()
        for name in ("from", "to", "changelog"):
            del update[name]
        said = {"action": self.action, "part": self.part, "parts": list(self.parts)}
        return said | {"version": self.versions.current, "data": self.data} | update
