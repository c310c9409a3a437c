"""Kinds of fields that are text in JSON, or JSON: string, text, enum, uuid, references, json."""

import json
import re
from typing import Final

from authkit.generate.defaults import a_text, one_of
from authkit.generate.kind import Kind, none, twice, whole
from authkit.terminal.errors import UsageError

LONGEST_STRING: Final = 255
LONGEST_TEXT: Final = 10_000
SHORTEST_UNIQUE: Final = 4
"""The tests number the values of a field that may be there once."""

CONSTRAINED: Final = (
    "Annotated[str, StringConstraints(min_length=1, max_length={}, pattern=NO_NUL)]"
)
BAD_TEXTS: Final = ('""', '"a\\x00b"', '"\\ud800"', "1", "[]")
WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


def string(arguments: str) -> Kind:
    length = whole(arguments or str(LONGEST_STRING), "string", 1, LONGEST_STRING)
    return Kind(
        "string",
        "str",
        f"String({length})",
        f"sa.String({length})",
        "",
        f"text of 1 to {length} characters",
        json.dumps("A line"[:length]),
        json.dumps("Changed"[:length]),
        accepted=twice(f'"x" * {length}', f'"\\U0001f600" * {length}'),
        refused=(f'"x" * {length + 1}', *BAD_TEXTS),
        alias=CONSTRAINED.format(length),
        numbered='f"{number}"' if length >= SHORTEST_UNIQUE else "",
        default=a_text(length),
    )


def text(arguments: str) -> Kind:
    none(arguments, "text")
    return Kind(
        "text",
        "str",
        "Text",
        "sa.Text()",
        "",
        f"text of 1 to {LONGEST_TEXT:,} characters",
        '"Some text"',
        '"Another text"',
        accepted=twice(f'"x" * {LONGEST_TEXT}', '"a\\n\\u00e9\\U0001f600"'),
        refused=(f'"x" * {LONGEST_TEXT + 1}', *BAD_TEXTS),
        alias=CONSTRAINED.format("MAX_TEXT"),
        is_indexable=False,
        default=a_text(LONGEST_TEXT),
    )


def choice(arguments: str) -> Kind:
    words = [word.strip() for word in arguments.split(",")] if arguments else []
    if len(words) < 2 or len(set(words)) != len(words) or not all(map(WORD.fullmatch, words)):
        raise UsageError(
            f"enum({arguments}) is no list of different words",
            "write two or more, of lower-case letters, digits and underscores: enum(low,high)",
        )
    longest = max(map(len, words))
    quoted = [f'"{word}"' for word in words]
    return Kind(
        "enum",
        "str",
        f"String({longest})",
        f"sa.String({longest})",
        "",
        "one of " + ", ".join(f"`{word}`" for word in words),
        quoted[0],
        quoted[1],
        accepted=tuple((word, word) for word in quoted),
        refused=('"nothing of these"', '""', "1", f'"{words[0].upper()}"'),
        alias=f"Literal[{', '.join(quoted)}]",
        check="{column} IN (" + ", ".join(f"'{word}'" for word in words) + ")",
        is_filter=True,
        default=one_of(words),
    )


def uuid(arguments: str) -> Kind:
    none(arguments, "uuid")
    return Kind(
        "uuid",
        "UUID",
        "Uuid",
        "sa.Uuid()",
        "Identifier",
        "UUID",
        "NOBODY",
        "str(UUID(int=1))",
        accepted=(("NOBODY.upper()", "NOBODY"), ("str(UUID(int=0))",) * 2),
        refused=('"x"', '""', "1", 'f"{NOBODY}0"'),
        numbered="str(UUID(int=number))",
    )


def reference(arguments: str) -> Kind:
    none(arguments, "references")
    return Kind(
        "references",
        "UUID",
        "",
        "sa.Uuid()",
        "Identifier",
        "",
        "",
        "",
        accepted=(),
        refused=('"x"', '""', "1"),
        is_filter=True,
    )


def anything(arguments: str) -> Kind:
    none(arguments, "json")
    return Kind(
        "json",
        "Any",
        "JSON(none_as_null=True)",
        "sa.JSON()",
        "Json",
        "any JSON but null, at most 16 KiB and 16 levels deep",
        '{"a": [1, 2.5, None]}',
        '["b"]',
        accepted=(
            *((each, each) for each in ("[]", "0.1", "2**70", '"x"', "False")),
            ('json.loads("[" * 17 + "]" * 17)',) * 2,
            ('"x" * 16_000',) * 2,
        ),
        refused=(
            *('float("nan")', '[float("-inf")]', '{"a": "\\x00"}', '{"\\x00": 1}', '["\\ud800"]'),
            *('json.loads("[" * 18 + "]" * 18)', '"x" * 16_384'),
        ),
        is_indexable=False,
        output="Any",
    )
