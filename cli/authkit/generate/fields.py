"""Fields as they are written on the command line: `due:date?`, `number:string(20):unique`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from authkit.generate.kind import Kind
from authkit.generate.kinds import KINDS
from authkit.generate.names import camel, field_name, pascal
from authkit.terminal.errors import UsageError

WRITTEN: Final = re.compile(
    r"(?P<name>[^:?=()]*)"
    r"(?::(?P<kind>(?!unique\b|index\b)\w+)(?:\((?P<arguments>[^()]*)\))?)?"
    r"(?P<before>(?::(?:unique|index)|\?)*)"
    r"(?:=(?P<default>.*?))?"
    r"(?P<after>(?::(?:unique|index))*)"
)
SHAPE: Final = "a field is NAME:TYPE, then ?, =DEFAULT, :unique or :index if you need them"


@dataclass(frozen=True)
class Field:
    """What was said about a field, and what follows from its kind."""

    name: str
    kind: Kind
    optional: bool = False
    unique: bool = False
    index: bool = False
    default: tuple[str, str] | None = None
    """As Python, and as an answer has it."""

    @property
    def column(self) -> str:
        """Its attribute, and its column."""
        return f"{self.name}_id" if self.is_reference else self.name

    @property
    def camel(self) -> str:
        return camel(self.column)

    @property
    def pascal(self) -> str:
        return pascal(self.column)

    @property
    def is_reference(self) -> bool:
        return self.kind.name == "references"

    @property
    def is_filter(self) -> bool:
        return self.kind.is_filter

    @property
    def required(self) -> bool:
        return not self.optional and self.default is None


def read_fields(written: Sequence[str]) -> tuple[Field, ...]:
    """The fields in their order, each named once."""
    fields = tuple(map(read_field, written))
    if not fields:
        raise UsageError(
            "a resource needs a field", "authkit generate resource note title body:text"
        )
    names = [field.camel for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"there are two fields {name}", "name each once")
    return fields


def read_field(written: str) -> Field:
    match = WRITTEN.fullmatch(written)
    if match is None:
        raise UsageError(f"{written!r} is no field", SHAPE)
    name, kind_name = field_name(match["name"]), match["kind"] or "string"
    if kind_name not in KINDS:
        raise UsageError(
            f"{written!r}: there is no type {kind_name}", f"there are {', '.join(KINDS)}"
        )
    kind = KINDS[kind_name](match["arguments"] or "")
    marks = match["before"] + match["after"]
    field = Field(
        name,
        kind,
        optional="?" in marks,
        unique=":unique" in marks,
        index=":index" in marks,
        default=None if match["default"] is None else default_of(kind, match["default"]),
    )
    require_sense(field)
    return field


def default_of(kind: Kind, given: str) -> tuple[str, str]:
    if kind.default is None:
        raise UsageError(f"a field of type {kind.name} takes no default", f"leave out ={given}")
    return kind.default(given)


def require_sense(field: Field) -> None:
    """Refuse what no database could keep, or what would let one row only into a table."""
    kind = field.kind
    if (field.unique or field.index) and not kind.is_indexable:
        raise UsageError(
            f"{field.name}: a {kind.name} is too long for an index", "take string, or leave it out"
        )
    if field.unique and not (kind.numbered or field.is_reference):
        raise UsageError(
            f"{field.name}: {kind.name} has too few values to be unique",
            "leave out :unique, or take a longer type",
        )
    if field.unique and field.default is not None:
        raise UsageError(
            f"{field.name}: a default that may be there once is one row", "leave out = or :unique"
        )
