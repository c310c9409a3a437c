"""What changed between two documents, and for whom."""

from dataclasses import dataclass
from typing import Any, Final, Literal

Level = Literal["breaking", "other"]

NOT_THE_CONTRACT: Final = frozenset({"info", "servers"})
"""They belong to a deployment: its name and its address are settings."""


@dataclass(frozen=True)
class Change:
    """One difference; `rule` is oasdiff's name for it where it has one."""

    level: Level
    rule: str
    where: str
    """`POST /api/auth/login`, and the field."""
    what: str

    @property
    def is_breaking(self) -> bool:
        return self.level == "breaking"

    def as_json(self) -> dict[str, Any]:
        return {
            "breaking": self.is_breaking,
            "rule": self.rule,
            "where": self.where,
            "what": self.what,
        }


def breaking(rule: str, where: str, what: str) -> Change:
    return Change("breaking", rule, where, what)


def other(rule: str, where: str, what: str) -> Change:
    return Change("other", rule, where, what)


def contract_of(document: dict[str, Any]) -> dict[str, Any]:
    """What of a document clients rely on."""
    return {name: part for name, part in document.items() if name not in NOT_THE_CONTRACT}
