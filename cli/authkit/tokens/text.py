"""From pasted text to the parts of a JSON Web Token (RFC 7519, a compact JWS of RFC 7515).

Nothing here believes the token: reading it says what it claims, never that it is true. Text that
holds no token is `Malformed`, which names the part and what is wrong with it.
"""

import re
import zlib
from dataclasses import dataclass, field
from typing import Final

from authkit.tokens.parts import JsonObject, read_part
from authkit.tokens.surrounding import is_whole, tokens_in, unescaped, visible

# RFC 8259 §9 lets a parser limit what it takes; proxies refuse headers long before this.
MAX_TOKEN_BYTES: Final = 1024 * 1024

# What surrounds a token where people copy it from: a header, a shell line, a line of JSON.
WRAPPING: Final = re.compile(
    r"""(?:[\s"'`“”‘’,;]|-H\b|(?:proxy-)?authorization["'\s]*[:=]"""
    r"""|(?:access|refresh|id)?_?token["'\s]*[:=]|bearer(?=[\s"':]|$))+""",
    re.IGNORECASE,
)
PERSONAL: Final = "authkit_pat_"
CHECKSUM: Final = 8
"""Hexadecimal digits at the end of a personal token (`app/personal_tokens/format.py`)."""

JSON_HINT: Final = "take the token out of it: … | jq -r .accessToken | authkit token decode"
ELSEWHERE: Final = re.compile(
    r"://|^(?:curl|http|https|wget|fetch\(|cookie:|set-cookie:)", re.IGNORECASE
)
NOTHING_ELSE: Final = re.compile(r"[A-Za-z0-9+/=_.-]*")
ELSEWHERE_HINT: Final = (
    "the text after token= in a link is opaque; only its issuer can look it up; "
    "a token starts with eyJ, in the Authorization header of the request"
)
TRAILING: Final = " \t\r\n\v\f\"'`“”‘’,;"


class Malformed(Exception):
    """Not three parts of which the first two decode to JSON objects: every reason at once."""

    def __init__(self, reasons: list[str], hint: str = "", header: JsonObject | None = None):
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.hint = hint
        self.header = header


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


def alone(text: str) -> str:
    """The one token of a text that has more, or the text without what wraps a token."""
    bare = strip_wrapping(text)
    if NOTHING_ELSE.fullmatch(bare):
        return bare
    found = tokens_in(text) or tokens_in(unescaped(text))
    if len(found) == 1:
        (token,) = found
        if is_whole(token, text) or not bare.startswith(token):
            return token
    if len(found) > 1:
        names = " or ".join(dict.fromkeys(name for name in found.values() if name))
        hint = f"give one of them: that of {names}" if names else "give one of them"
        raise Malformed([f"{len(found)} tokens are in this text"], hint)
    if bare.startswith(("{", "[")):
        raise Malformed(["this is JSON without a token in it"], JSON_HINT)
    if ELSEWHERE.search(bare):
        raise Malformed(["this text has no token in it: header.payload.signature"], ELSEWHERE_HINT)
    return bare


def read_token(text: str) -> Token:
    """Take the text apart, or say which part is not what it should be."""
    if len(text) > MAX_TOKEN_BYTES:
        raise Malformed([f"this is {len(text):,} characters long; no token is"])
    text = alone(visible(text))
    parts = text.split(".")
    if len(parts) != 3:
        raise _wrong_number_of_parts(text, parts)
    reasons: list[str] = []
    header = read_part("header", 1, parts[0], reasons)
    payload = read_part("payload", 2, parts[1], reasons)
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
    header = read_part("header", 1, parts[0], [])
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
    if text.startswith(PERSONAL):
        body, checksum = text[:-CHECKSUM], text[-CHECKSUM:]
        whole = f"{zlib.crc32(body.encode()):08x}" == checksum
        return Malformed(
            ["this is a personal access token, not a JWT: it holds no data"]
            + ([] if whole else ["its checksum is wrong: was it cut when it was copied?"]),
            "only its API knows its user: GET /api/users/me; authkit token list EMAIL lists them"
            " of a user, by their first characters",
        )
    return Malformed(
        [f"no dots: one part of {len(text):,} characters; a token has 3: header.payload.signature"],
        "this looks like an opaque token (a session id, a reset token, an API key): "
        "it holds no data; only its issuer can look it up",
    )
