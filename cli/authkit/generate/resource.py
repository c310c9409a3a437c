"""A resource: its names, its fields, and who may."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from authkit.generate.fields import Field
from authkit.generate.names import Names, names_of
from authkit.generate.parents import Parent
from authkit.generate.tables import Index, indexes_of, uniques_of
from authkit.terminal.errors import UsageError

LONGEST_NAME = 63
"""PostgreSQL cuts names off after as many characters."""


class Access(StrEnum):
    """Who may."""

    OWNER_ONLY = "owner-only"
    PUBLIC_READ = "public-read"
    SHARED = "shared"
    ADMIN_ONLY = "admin-only"

    @property
    def is_owned(self) -> bool:
        """Whether each row is its owner's to change."""
        return self in {Access.OWNER_ONLY, Access.PUBLIC_READ}


@dataclass(frozen=True)
class Resource:
    names: Names
    fields: tuple[Field, ...]
    parents: Mapping[str, Parent]
    """What the references name, by the name of the field."""
    access: Access = Access.OWNER_ONLY
    can_delete: bool = True

    @property
    def indexes(self) -> list[Index]:
        private = self.access is Access.OWNER_ONLY
        owned = self.access.is_owned
        common = [name for name, parent in self.parents.items() if not parent.is_owned]
        return indexes_of(self.names.plural, self.fields, common, owned=owned, private=private)

    @property
    def parents_of_others(self) -> Mapping[str, Parent]:
        """Those that people may delete who may not delete what refers to them."""
        shared = self.access is Access.SHARED
        return {n: each for n, each in self.parents.items() if each.who == "Member" and not shared}

    @property
    def uniques(self) -> list[Index]:
        return uniques_of(self.names.plural, self.fields, owned=self.access.is_owned)


def resource(
    name: str,
    plural: str | None,
    fields: tuple[Field, ...],
    access: Access,
    parent_of: Callable[[str], Parent],
    *,
    can_delete: bool,
) -> Resource:
    """The resource that was asked for, as far as names alone can tell.

    A reference is named after what it refers to: `note:references` is a `note_id` of `notes`.
    """
    names = names_of(name, plural)
    parents = {field.name: parent_of(field.name) for field in fields if field.is_reference}
    if any(parent.plural == names.plural for parent in parents.values()):
        raise UsageError(
            f"{names.a_word} can't refer to another one", "make a resource for what ties them"
        )
    made = Resource(names, fields, parents, access, can_delete)
    require_short(made)
    return made


def require_short(made: Resource) -> None:
    """Refuse what the database would cut off, and then no more know apart."""
    table = made.names.plural
    longest = [index.name for index in [*made.indexes, *made.uniques]]
    longest += [f"ck_{table}_{field.column}" for field in made.fields]
    longest += [
        f"fk_{table}_{field.column}_{made.parents[field.name].plural}"
        for field in made.fields
        if field.is_reference
    ]
    for name in longest:
        if len(name) > LONGEST_NAME:
            raise UsageError(
                f"PostgreSQL would cut {name} off after {LONGEST_NAME} characters",
                "take shorter names",
            )
