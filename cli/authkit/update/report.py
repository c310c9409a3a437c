"""What an update did, or would do, and what it leaves to its owner."""

from dataclasses import dataclass, field
from typing import Any, Final

from authkit.contract.change import Change as ContractChange
from authkit.terminal.errors import AuthkitError
from authkit.update.compare import Change
from authkit.update.versions import Versions

STEPS: Final = ("environment", "migrations", "contract", "tests")
UNDO: Final = "git reset --hard"


@dataclass
class Report:
    """What an update did, or would do."""

    versions: Versions
    changelog: str = ""
    changes: list[Change] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    new_settings: dict[str, str] = field(default_factory=dict)
    imports_rewritten: list[str] = field(default_factory=list)
    """Of the files that the owner made or edited."""
    sections_moved: list[str] = field(default_factory=list)
    """Of the pages: those that the owner edited."""
    settled: list[str] = field(default_factory=list)
    """Files in which an edit is no longer needed, and was taken back."""
    look_at: list[str] = field(default_factory=list)
    """What could not be rewritten."""
    gone_settings: dict[str, str] = field(default_factory=dict)
    """Removed or renamed, and what to do about it."""
    behaviour: list[str] = field(default_factory=list)
    """What the deployed application does differently."""
    contract: list[ContractChange] = field(default_factory=list)
    """What the new openapi.json says, and the one in the last commit did not."""
    done: list[str] = field(default_factory=list)
    """Of STEPS: what was brought up to date."""
    left_to_do: list[str] = field(default_factory=list)
    undo: str = UNDO
    backup: str | None = None
    """The copy of a SQLite database that was kept before it was migrated."""
    problem: AuthkitError | None = None
    """Why a step after the merge failed; the merge stands."""

    @property
    def is_complete(self) -> bool:
        return self.done == list(STEPS)

    @property
    def title(self) -> str:
        return f"{self.versions.current} → {self.versions.target}"

    @property
    def outcome(self) -> str:
        return "Up to date" if self.is_complete else "Merged"

    def as_json(self) -> dict[str, Any]:
        return {
            "from": self.versions.current,
            "to": self.versions.target,
            "changelog": self.changelog,
            "changes": [
                {"kind": change.kind, "path": change.path, "note": change.note}
                for change in self.changes
            ],
            "conflicts": self.conflicts,
            "importsRewritten": self.imports_rewritten,
            "sectionsMoved": self.sections_moved,
            "settled": self.settled,
            "lookAt": self.look_at,
            "newSettings": self.new_settings,
            "beforeYouDeploy": {"settings": self.gone_settings, "behaviour": self.behaviour},
            "contract": [change.as_json() for change in self.contract],
            "done": self.done,
            "leftToDo": self.left_to_do,
            "undo": self.undo,
            "backup": self.backup,
        }
