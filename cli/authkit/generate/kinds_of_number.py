"""Kinds of fields that count or measure: integer, bigint, decimal, boolean."""

import re
from collections.abc import Callable
from typing import Final

from authkit.generate.defaults import a_decimal, a_number, a_switch
from authkit.generate.kind import Kind, none, twice
from authkit.terminal.errors import UsageError

MOST_DIGITS: Final = 18
"""SQLite keeps a decimal as a 64-bit count of its last digit."""
SHORTEST_UNIQUE: Final = 4
"""The tests number the values of a field that may be there once."""


def number(name: str, bits: int, column: str, schema: str) -> Callable[[str], Kind]:
    """`integer` and `bigint`."""
    edge = 2 ** (bits - 1)

    def kind(arguments: str) -> Kind:
        none(arguments, name)
        bounds = (f"-(2**{bits - 1})", f"2**{bits - 1} - 1")
        return Kind(
            name,
            "int",
            column,
            f"sa.{column}()",
            schema,
            f"whole number of {bits} bits, with its sign",
            "1",
            "2",
            accepted=tuple((bound, bound) for bound in (*bounds, "0")),
            refused=(
                *(f"2**{bits - 1}", f"-(2**{bits - 1}) - 1", "10**400"),
                *('"1"', "1.5", "True", 'float("nan")', 'float("inf")'),
            ),
            numbered="number",
            default=a_number(edge),
        )

    return kind


def decimal(arguments: str) -> Kind:
    precision, scale = digits_of(arguments)
    before = precision - scale
    point = f".{'0' * scale}" if scale else ""
    nines = ("9" * before or "0") + point.replace("0", "9")
    one = ("1" if before else "0") + (f".{'5'.ljust(scale, '0')}" if scale else "")
    column = f"ExactDecimal({precision}, {scale})"
    return Kind(
        "decimal",
        "Decimal",
        column,
        column,
        "",
        f'text of a decimal number, at most {precision} digits, {scale} behind the point: "{one}"',
        f'"{one}"',
        f'"0{point}"',
        accepted=(
            *twice(f'"{nines}"', f'"-{nines}"'),
            *((f'"{zero}"', f'"0{point}"') for zero in ("0", "-0")),
        ),
        refused=(*NO_DECIMALS, f'"{"9" * (before + 1)}"', f'"0.{"1" * (scale + 1)}"'),
        alias=f"Annotated[Decimal, DecimalText({precision}, {scale})]",
        output="alias",
        numbered=f'f"{{number}}{point}"' if before >= SHORTEST_UNIQUE else "",
        default=a_decimal(before, scale),
    )


NO_DECIMALS: Final = (
    *("1.5", "1", "True", 'float("nan")', '"NaN"', '"Infinity"', '"1e1"', '" 1"', '"1\\n"'),
    *('""', '"\\u0661"', '"1_0"'),
)


def digits_of(arguments: str) -> tuple[int, int]:
    """How many there are, and how many of them behind the point."""
    match = re.fullmatch(r"(\d{1,2}),(\d{1,2})", arguments.replace(" ", ""))
    precision, scale = map(int, match.groups()) if match else (0, 0)
    if not 1 <= precision <= MOST_DIGITS or scale > precision:
        raise UsageError(
            f"decimal({arguments}) is no decimal that both databases keep",
            f"decimal(12,2) has 12 digits, 2 of them behind the point; at most {MOST_DIGITS}",
        )
    return precision, scale


def boolean(arguments: str) -> Kind:
    none(arguments, "boolean")
    return Kind(
        "boolean",
        "bool",
        "",
        "sa.Boolean()",
        "bool",
        "`true` or `false`",
        "False",
        "True",
        accepted=(("True", "True"), ("False", "False")),
        refused=('"true"', "1", "0", '""'),
        is_filter=True,
        default=a_switch,
    )
