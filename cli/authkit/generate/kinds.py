"""The kinds of fields by the names that the command line has for them."""

from collections.abc import Callable
from typing import Final

from authkit.generate.kind import Kind
from authkit.generate.kinds_of_number import boolean, decimal, number
from authkit.generate.kinds_of_text import anything, choice, reference, string, text, uuid
from authkit.generate.kinds_of_time import day, moment

KINDS: Final[dict[str, Callable[[str], Kind]]] = {
    "string": string,
    "text": text,
    "integer": number("integer", 32, "Integer", "Integer"),
    "bigint": number("bigint", 64, "BigInteger", "BigInteger"),
    "decimal": decimal,
    "boolean": boolean,
    "date": day,
    "datetime": moment,
    "uuid": uuid,
    "json": anything,
    "enum": choice,
    "references": reference,
}
