"""The variables of the skeleton: what a resource and its fields are, word by word."""

import json
import textwrap
from typing import Any

from authkit.generate.fields import Field
from authkit.generate.names import CLASSES_IN_THE_WAY, Names, camel
from authkit.generate.parents import Parent
from authkit.generate.resource import Access, Resource
from authkit.generate.tables import check_of

OWN_CLASSES = ("Info", "Page", "Query")
"""What the schemas of a resource are called: a field's type gets another name."""


def context_of(
    resource: Resource, revision: str, down_revision: str, *, can_null: bool
) -> dict[str, Any]:
    fields = [seen(resource, field, can_null=can_null) for field in resource.fields]
    return {
        **spellings(resource.names),
        **who_may(resource.access),
        "fields": fields,
        "references": [field for field in fields if field["parent"]],
        "parents": list(dict.fromkeys(resource.parents.values())),
        "filters": [field for field in fields if field["is_filter"]],
        "unique": " and ".join(field.column for field in resource.fields if field.unique),
        "uniques": resource.uniques,
        "constraints": constraints(resource),
        "indexes": resource.indexes,
        "counted": any("number" in field["example"] for field in fields),
        "has_json": any(field.kind.name == "json" for field in resource.fields),
        "can_delete": resource.can_delete,
        "revision": revision,
        "down_revision": down_revision,
    }


def spellings(names: Names) -> dict[str, str]:
    return {
        "name": names.singular,
        "plural": names.plural,
        "plural_camel": camel(names.plural),
        "Class": names.class_name,
        "word": names.word,
        "Word": names.word.capitalize(),
        "words": names.words,
        "Words": names.words.capitalize(),
        "a_word": names.a_word,
        "path": names.path,
    }


def who_may(access: Access) -> dict[str, Any]:
    return {
        "owned": access.is_owned,
        "private": access is Access.OWNER_ONLY,
        "public": access is Access.PUBLIC_READ,
        "admin": access is Access.ADMIN_ONLY,
        "me": "admin" if access is Access.ADMIN_ONLY else "ada",
    }


def constraints(resource: Resource) -> list[str]:
    checks = [(check_of(field), field.column) for field in resource.fields]
    said = [f'CheckConstraint({literal(check)}, name="{name}")' for check, name in checks if check]
    for unique in resource.uniques:
        columns = ", ".join(f'"{column}"' for column in unique.columns)
        said.append(f'UniqueConstraint({columns}, name="{unique.name}")')
    return said


def seen(resource: Resource, field: Field, *, can_null: bool) -> dict[str, Any]:
    """A field, as the skeleton sees it."""
    parent = resource.parents.get(field.name)
    on_delete = "SET NULL" if field.optional and can_null else "CASCADE"
    return {
        "column": field.column,
        "camel": field.camel,
        "optional": field.optional,
        "required": field.required,
        "unique": field.unique,
        "parent": parent,
        "is_filter": field.kind.is_filter,
        "on_delete": on_delete,
        "is_boolean": field.kind.name == "boolean",
        "said": said_of(field, parent, on_delete),
        **in_database(field, parent, on_delete),
        **in_schemas(resource, field),
        **in_tests(field, parent),
    }


def in_database(field: Field, parent: Parent | None, on_delete: str) -> dict[str, str]:
    arguments = [field.kind.column] if field.kind.column else []
    if parent:
        arguments = [f'ForeignKey("{parent.plural}.id", ondelete="{on_delete}")']
    if field.default:
        arguments.append(f"default={field.default[0]}")
    return {
        "mapped": field.kind.python + or_none(field),
        "column_arguments": ", ".join(arguments),
        "migration": field.kind.migration,
        "check": literal(check_of(field)) if field.kind.check else "",
    }


def in_schemas(resource: Resource, field: Field) -> dict[str, str]:
    kind = field.kind
    alias = ""
    if kind.alias:
        alias = f"{resource.names.class_name}{field.pascal}"
        if field.pascal in OWN_CLASSES or alias in CLASSES_IN_THE_WAY:
            alias += "Value"
    python = alias or kind.input
    output = alias if kind.output == "alias" else kind.output or alias or kind.python
    default = field.default[0] if field.default else "None"
    return {
        "alias": alias,
        "alias_value": kind.alias,
        "input": python + or_none(field),
        "create_default": "" if field.required else f" = {default}",
        "output": output if output == "Any" else output + or_none(field),
        "filter_input": python,
    }


def in_tests(field: Field, parent: Parent | None) -> dict[str, Any]:
    kind = field.kind
    example = field.column if parent else kind.example
    fixed = field.unique or parent  # a value that a second row could not have as well
    return {
        "example": kind.numbered if field.unique and not parent else example,
        "other": "" if fixed else kind.other,
        "other_query": kind.other.lower().strip('"'),
        "default_answer": field.default[1] if field.default else "None",
        "accepted": () if fixed else kind.accepted,
        "refused": kind.refused,
    }


def literal(text: str) -> str:
    """A text as Python: no formatter cuts one that is longer than a line."""
    return " ".join(map(json.dumps, textwrap.wrap(text, 70, drop_whitespace=False)))


def or_none(field: Field) -> str:
    return " | None" if field.optional else ""


def said_of(field: Field, parent: Parent | None, on_delete: str) -> str:
    """A line of the page."""
    said = [f"the id of {parent.a_word}" if parent else field.kind.said]
    if field.optional:
        said.append("may be null")
    if parent:
        said.append(
            "deleted along with it" if on_delete == "CASCADE" else "null once that is deleted"
        )
    if field.default:
        default = field.default[1].strip('"')
        said.append(f"`{default.lower() if field.kind.python == 'bool' else default}` unless given")
    if field.unique:
        said.append("there once")
    said = [part.replace("|", "\\|") for part in said]
    return "; ".join(said)
