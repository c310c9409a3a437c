"""Indexes and constraints: what makes each query of a resource as fast on a large table."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from authkit.generate.fields import Field


@dataclass(frozen=True)
class Index:
    name: str
    columns: tuple[str, ...]


def indexes_of(
    table: str, fields: Iterable[Field], common: Collection[str], *, owned: bool, private: bool
) -> list[Index]:
    """For the list and for each filter one that ends in the list's order; then those asked for.

    What refers to a row of another table needs one as well: that row's deletion looks for it. It
    is the filter's, too, unless rows of several users refer to the same one: `common` names them.
    """
    order = ("created_at", "id")
    whose = ("user_id",) if private else ()
    found = [Index(f"ix_{table}_user_id", (("user_id", *order) if private else ("user_id",)))]
    if not private:
        found.append(Index(f"ix_{table}_created_at", order))
    for field in fields:
        name = f"ix_{table}_{field.column}"
        if field.is_reference:
            split = private and field.name in common
            found.append(Index(name, (field.column, *(() if split else order))))
            if split:
                whole = f"ix_{table}_user_id_{field.column}"
                found.append(Index(whole, ("user_id", field.column, *order)))
        elif field.is_filter:
            found.append(Index(name, (*whose, field.column, *order)))
        elif field.index:
            found.append(Index(name, ("user_id", field.column) if owned else (field.column,)))
    return found


def uniques_of(table: str, fields: Iterable[Field], *, owned: bool) -> list[Index]:
    """For each owner, where there are owners."""
    return [
        Index(f"uq_{table}_{field.column}", (*(("user_id",) if owned else ()), field.column))
        for field in fields
        if field.unique
    ]


def check_of(field: Field) -> str:
    """As SQL, in which `left` and `group` are names between quotes alone."""
    return field.kind.check.format(column=f'"{field.column}"')
