"""What is no plain secret although it could be hashed like one: keys that everybody may know.

Whoever reads such a text could sign with it. It must verify nothing (RFC 8725 §2.1).
"""

import base64
import json
import re
from collections.abc import Callable
from typing import Final

from authkit.terminal.errors import UsageError

Kind = tuple[Callable[[bytes], object], str, str]
"""How to tell one, what it is called, and the fix."""

BLOCK: Final = re.compile(rb"----[- ]?BEGIN ")
SSH: Final = re.compile(rb"(?<![\w-])(?:sk-)?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-)[\w@.-]*\s")
PUTTY: Final = b"PuTTY-User-Key-File"
MARKUP: Final = re.compile(rb"<(?:!doctype|html|\?xml|rsakeyvalue)[\s>]", re.IGNORECASE)
JWK: Final = re.compile(rb"[\"']kty[\"']")
BASE64: Final = re.compile(rb"[A-Za-z0-9+/_\s-]{24,}={0,2}\s*")

SEQUENCE: Final = 0x30
LONG_FORM: Final = 0x80
KEY_PARTS: Final = (b"\x02", b"\x30")
"""INTEGER or SEQUENCE: what every key and certificate has first."""


def refuse_other_keys(data: bytes, name: str) -> None:
    """
    Raises:
        UsageError: a plain secret looks otherwise; says what this is instead, and the fix.
    """
    _refuse(KINDS, data, name)


def refuse_public_keys(data: bytes, name: str) -> None:
    """The same for what a project has as its secret: what keeps the project from starting."""
    _refuse(KINDS[:2], data, name)


def _refuse(kinds: tuple[Kind, ...], data: bytes, name: str) -> None:
    for is_it, what, fix in kinds:
        if is_it(data):
            raise UsageError(f"{name} holds {what}, which is no secret", fix)


def _is_json(data: bytes) -> bool:
    """A list or an object, or what has a JWK inside; a JWK or a set alone are read as such."""
    if JWK.search(data):
        return True
    try:
        return isinstance(json.loads(data), list | dict)
    except (ValueError, RecursionError):
        return False


def _is_der(data: bytes) -> bool:
    """An ASN.1 SEQUENCE as long as the data (X.690 §8.1), as every key and certificate is."""
    if len(data) < 4 or data[0] != SEQUENCE:
        return False
    size, start = data[1], 2
    if size > LONG_FORM:
        start += size - LONG_FORM
        size = int.from_bytes(data[2:start], "big")
    # A text may begin like one, but is ASCII.
    return start + size == len(data) and data[start:][:1] in KEY_PARTS and not data.isascii()


def _is_binary_key(data: bytes) -> bool:
    """DER, or what an SSH key has in place of it; as bytes, or in base64 without a frame."""
    for found in (data, data.rstrip(b"\r\n"), _decoded(data)):
        if _is_der(found) or re.match(rb"\0\0\0.(?:sk-)?(?:ssh-|ecdsa-)", found, re.DOTALL):
            return True
    return False


def _decoded(data: bytes) -> bytes:
    if not BASE64.fullmatch(data):
        return b""
    text = b"".join(data.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        return b""


KINDS: Final[tuple[Kind, ...]] = (
    (BLOCK.search, "a key or certificate in PEM", "give the whole block alone, and with its frame"),
    (
        SSH.search,
        "a public key of SSH",
        "give it as a JWK or in PEM: ssh-keygen -e -m PKCS8 -f FILE (which knows no Ed25519)",
    ),
    (lambda data: PUTTY in data, "a key of PuTTY", "give it as a JWK or in PEM"),
    (MARKUP.search, "a page", "save the keys themselves: the JWKS, or PEM"),
    (_is_json, "JSON that is no JWK", 'a set of keys is {"keys": [...]}, each with a kty'),
    (
        _is_binary_key,
        "a key or certificate in DER",
        "give it in PEM: openssl pkey -pubin -inform DER -in FILE, or openssl x509 -inform DER",
    ),
)
