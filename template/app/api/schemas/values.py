"""The kinds of values in resources, within the bounds of both databases."""

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from app.foundation.database.pages import CURSOR

NO_NUL: Final = r"^[^\x00]*$"
"""PostgreSQL stores no NUL character."""

MAX_TEXT: Final = 10_000
MAX_JSON_BYTES: Final = 16_384
MAX_JSON_DEPTH: Final = 16

LEFT_OUT: Any = Field(default_factory=lambda: None)
"""The default of a field that a PATCH may leave out, which is not the same as null."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class CursorQuery(BaseModel):
    """A page of a list. Unknown parameters are refused: an ignored filter would show everything."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    limit: int = Field(20, ge=1, le=100)
    cursor: str | None = Field(None, pattern=CURSOR)


def _date_text(value: Any) -> Any:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("must be a date like 2026-11-28")
    return value


def _moment_text(value: Any) -> Any:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError("must be a time with its offset, like 2026-11-28T09:30:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _whole(value: Any) -> Any:
    """To JSON Schema 1.0 is an integer; from 2^53 on a float may have lost digits."""
    if isinstance(value, float | Decimal) and abs(float(value)) < 2**53 and int(value) == value:
        return int(value)
    return value


Integer = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), BeforeValidator(_whole)]
BigInteger = Annotated[int, Field(ge=-(2**63), le=2**63 - 1), BeforeValidator(_whole)]
Identifier = Annotated[UUID, Field(strict=False)]
Date = Annotated[date, BeforeValidator(_date_text), Field(strict=False)]
Moment = Annotated[
    datetime, BeforeValidator(_moment_text), AfterValidator(_in_utc), Field(strict=False)
]


@dataclass(frozen=True)
class DecimalText:
    """A decimal number as a text, in and out: most clients turn a number in JSON into a float."""

    precision: int
    scale: int

    @property
    def pattern(self) -> str:
        before = self.precision - self.scale
        whole = f"(0|[1-9][0-9]{{0,{before - 1}}})" if before else "0"
        return f"^-?{whole}" + (rf"(\.[0-9]{{1,{self.scale}}})?$" if self.scale else "$")

    def read(self, value: Any) -> Decimal:
        if not isinstance(value, str) or not re.fullmatch(self.pattern[1:-1], value):
            example = f"{Decimal(0):.{self.scale}f}"
            raise ValueError(f'must be a text like "{example}", of {self.precision} digits at most')
        return Decimal(value) + 0  # no minus before a zero

    def write(self, value: Decimal) -> str:
        return f"{value:.{self.scale}f}"

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.lax_or_strict_schema(
            strict_schema=core_schema.no_info_plain_validator_function(self.read),  # an `Input`
            lax_schema=core_schema.is_instance_schema(Decimal),  # an `Output`, from the database
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.write, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": self.pattern}


def _kept(value: Any, depth: int = 0) -> Any:
    """Return the value, unless it would come back as something else."""
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"is nested more than {MAX_JSON_DEPTH} deep")
    match value:
        case dict():
            return {_kept(key, depth): _kept(inner, depth + 1) for key, inner in value.items()}
        case list():
            return [_kept(inner, depth + 1) for inner in value]
        case str():
            return _text(value)
        case Decimal() | float():
            return _number(value)
    return value


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


def _number(number: Decimal | float) -> float:
    kept = float(number)
    if not math.isfinite(kept) or Decimal(repr(kept)) != number:
        raise ValueError("has a number that would lose digits; send it as a text")
    return kept


def _bounded(value: Any) -> Any:
    if value is None:
        raise ValueError("must not be null")
    kept = _kept(value)
    if len(json.dumps(kept)) > MAX_JSON_BYTES:
        raise ValueError(f"must have at most {MAX_JSON_BYTES} bytes")
    return kept


Json = Annotated[
    Any,
    AfterValidator(_bounded),
    WithJsonSchema({"type": ["object", "array", "string", "number", "boolean"], "items": {}}),
]
"""Any JSON. With routes of `ExactNumbersRoute`, its numbers keep their digits or are refused."""
