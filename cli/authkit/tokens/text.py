"""From pasted text to the parts of a JSON Web Token (RFC 7519, a compact JWS of RFC 7515).

Nothing here believes the token: reading it says what it claims, never that it is true. Text that
holds no token is `Malformed`, which names the part and what is wrong with it.
"""

import base64
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from authkit.terminal.safe_text import safe

JsonObject = dict[str, Any]

# RFC 8259 §9 lets a parser limit what it takes. Proxies refuse headers long before the first, and
# no claim needs the second; without it a hostile token could exhaust the stack of what prints it.
MAX_TOKEN_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
MAX_INTEGER_DIGITS: Final = 300

BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
# What surrounds a token where people copy it from: a header, a shell line, a line of JSON.
WRAPPING: Final = re.compile(
    r"""(?:[\s"'`“”‘’,;]|-H\b|(?:proxy-)?authorization["'\s]*[:=]"""
    r"""|(?:access|refresh|id)?_?token["'\s]*[:=]|bearer(?=[\s"':]|$))+""",
    re.IGNORECASE,
)
JSON_HINT: Final = "take the token out of it: … | jq -r .accessToken | authkit token decode"
TRAILING: Final = " \t\r\n\v\f\"'`“”‘’,;"


class Malformed(Exception):
    """Not three parts of which the first two decode to JSON objects: every reason at once."""

    def __init__(self, reasons: list[str], hint: str = "", header: JsonObject | None = None):
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.hint = hint
        self.header = header


@dataclass(frozen=True)
class Part:
    """A decoded header or payload, and the oddities of its spelling."""

    values: JsonObject
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Token:
    """The three parts. `signing_input` is the text that was signed, exactly as written."""

    header: JsonObject
    claims: JsonObject
    signing_input: bytes
    signature: str
    oddities: tuple[str, ...] = field(default=())
    size: int = 0


def decode_text(data: bytes) -> str:
    """The text of a file or pipe; a shell's redirection may have made it UTF-16 (PowerShell)."""
    if len(data) > MAX_TOKEN_BYTES:
        raise Malformed([f"this is more than {MAX_TOKEN_BYTES:,} bytes; no token is that long"])
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")


def strip_wrapping(text: str) -> str:
    """The token alone: no `Authorization: Bearer`, quotes, line breaks or indentation."""
    match = WRAPPING.match(text)
    text = text[match.end() :] if match else text
    return "".join(line.strip() for line in text.rstrip(TRAILING).splitlines())


def read_token(text: str) -> Token:
    """Take the text apart, or say which part is not what it should be."""
    if len(text) > MAX_TOKEN_BYTES:
        raise Malformed([f"this is {len(text):,} characters long; no token is"])
    text = strip_wrapping(text)
    if text.startswith(("{", "[")):
        raise Malformed(["this is JSON, not a token"], JSON_HINT)
    parts = text.split(".")
    if len(parts) != 3:
        raise _wrong_number_of_parts(text, parts)
    reasons: list[str] = []
    header = _read_part("header", 1, parts[0], reasons)
    payload = _read_part("payload", 2, parts[1], reasons)
    if header is None or payload is None:
        raise Malformed(reasons, header=header.values if header else None)
    return Token(
        header=header.values,
        claims=payload.values,
        signing_input=f"{parts[0]}.{parts[1]}".encode(),
        signature=parts[2],
        oddities=header.oddities + payload.oddities,
        size=len(text),
    )


def _wrong_number_of_parts(text: str, parts: list[str]) -> Malformed:
    if not text:
        return Malformed(["nothing was given: the token is empty"], "is the variable set?")
    header = _read_part("header", 1, parts[0], [])
    values = header.values if header else None
    if len(parts) == 1:
        return _one_part(text, values)
    if len(parts) == 5 and (values is None or "enc" in values):
        return Malformed(
            ["5 parts: this is encrypted (JWE, RFC 7516); its claims need the key"],
            "decrypt it first; authkit's own tokens are signed, not encrypted",
            values,
        )
    cut = " (the signature is missing; was it cut when it was copied?)" if len(parts) == 2 else ""
    return Malformed(
        [f"{len(parts)} parts between dots; a token has 3: header.payload.signature{cut}"],
        header=values,
    )


def _one_part(text: str, header: JsonObject | None) -> Malformed:
    if header is not None:
        return Malformed(
            ["only the header is here; the payload and the signature are missing"],
            "was it cut when it was copied?",
            header,
        )
    return Malformed(
        [f"no dots: one part of {len(text):,} characters; a token has 3: header.payload.signature"],
        "this looks like an opaque token (a session id, a reset token, an API key): "
        "nothing is written in it, only who issued it can look it up",
    )


def _read_part(name: str, number: int, text: str, reasons: list[str]) -> Part | None:
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


def excerpt(value: object, length: int) -> str:
    """The start of a text of unknown origin, safe to print."""
    text = str(value)
    return safe(text if len(text) <= length else text[: length - 1] + "…")
