"""One part of a token: base64url, UTF-8, a JSON object, with each oddity of its spelling."""

import base64
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from authkit.terminal.safe_text import excerpt, safe

JsonObject = dict[str, Any]

# No claim needs this depth; without a limit (RFC 8259 §9 allows one) a hostile token could exhaust
# the stack of what prints it.
MAX_DEPTH: Final = 32
MAX_INTEGER_DIGITS: Final = 300
BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Part:
    """A decoded header or payload, and the oddities of its spelling."""

    values: JsonObject
    oddities: tuple[str, ...] = ()


def read_part(name: str, number: int, text: str, reasons: list[str]) -> Part | None:
    """A part's JSON object, or None with what is wrong added to `reasons`."""
    oddities: list[str] = []
    try:
        data = _decode_base64url(text, oddities)
        values = _parse_object(data, oddities)
    except ValueError as problem:
        reasons.append(f"the {name} (part {number} of 3) {problem}")
        return None
    return Part(values, tuple(f"the {name} {oddity}" for oddity in oddities))


def _decode_base64url(text: str, oddities: list[str]) -> bytes:
    if not text:
        raise ValueError("is empty")
    bare = text.rstrip("=")
    if bare != text:
        oddities.append('is padded with "="; base64url in a token is not (RFC 7515 §2)')
    alphabet = BASE64URL.match(bare)
    end = alphabet.end() if alphabet else 0
    if end < len(bare):
        raise ValueError(_wrong_character(bare[end], end + 1))
    if len(bare) % 4 == 1:
        raise ValueError(
            f"is not base64url: {len(bare):,} characters can't be whole bytes; "
            "one is missing or one too many"
        )
    data = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if encode_base64url(data) != bare:
        oddities.append(
            f'ends in "{bare[-1]}", which carries bits that belong to no byte (RFC 4648 §3.5)'
        )
    return data


def _wrong_character(character: str, position: int) -> str:
    shown = "a space" if character == " " else f'"{safe(character)}"'
    problem = f"is not base64url: {shown} at character {position:,}"
    if character in "+/":
        problem += ' (that is plain base64; base64url has "-" and "_" instead of "+" and "/")'
    if character == "=":
        problem += " (padding in the middle)"
    return problem


def encode_base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _parse_object(data: bytes, oddities: list[str]) -> JsonObject:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ValueError(
            f"is not JSON: byte {problem.start + 1:,} is not UTF-8{_decrypted_hint(data)}"
        ) from None
    values = _parse_json(text, oddities)
    if not isinstance(values, dict):
        raise ValueError(f"is JSON, but {_kind(values)}, not an object")
    return values


def _decrypted_hint(data: bytes) -> str:
    return " (it is compressed)" if data.startswith((b"\x1f\x8b", b"\x78\x9c")) else ""


def _parse_json(text: str, oddities: list[str]) -> Any:
    """JSON, read leniently where a decoder can still show what is said, with an oddity each."""

    def collect(pairs: list[tuple[str, Any]]) -> JsonObject:
        values = dict(pairs)
        if len(values) < len(pairs):
            count = Counter(name for name, _ in pairs)
            repeated = [name for name in values if count[name] > 1][:5]
            shown = ", ".join(f'"{excerpt(name, 40)}"' for name in repeated)
            oddities.append(
                f"names {shown} more than once; parsers disagree on which counts, "
                "here it is the last (RFC 7519 §4)"
            )
        return values

    try:
        value = json.loads(text, object_pairs_hook=collect, parse_int=_parse_integer)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    except json.JSONDecodeError as problem:
        raise ValueError(
            f"is not JSON: {problem.msg} at character {problem.pos + 1:,}: `{excerpt(text, 40)}`"
        ) from None
    if _depth_exceeds(value, MAX_DEPTH):
        raise ValueError(_too_deep())
    return value


def _too_deep() -> str:
    return f"is nested more than {MAX_DEPTH} levels deep (RFC 8259 §9 allows a limit)"


def _parse_integer(digits: str) -> int | float:
    """Python refuses to print integers of some thousand digits; as a float they are infinite."""
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [item for container in level for item in _items(container)]
        if not level:
            return False
    return True


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _kind(value: Any) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
