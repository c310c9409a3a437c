"""What is unwise about a token although it may be valid (RFC 8725; OWASP's JWT cheat sheet)."""

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from authkit.terminal.safe_text import excerpt
from authkit.tokens.claims import EMAIL_CHANGE, KEY_HEADERS, REFRESH
from authkit.tokens.findings import Finding, Rules, shown
from authkit.tokens.keys import Key
from authkit.tokens.parts import JsonObject
from authkit.tokens.text import Token
from authkit.tokens.times import duration, is_timestamp

DAY: Final = 86_400
LONG_LIFE: Final = DAY
LONG_REFRESH: Final = 30 * DAY
MAX_KID: Final = 128
MAX_HEADER_BYTES: Final = 4_096
MAX_NAMED: Final = 5
MAX_NAME: Final = 100

# OpenID Connect Core §5.1, and what people call these things themselves.
PERSONAL: Final = re.compile(
    r"(e_?mail|phone|mobile|(given|family|middle|first|last|full|nick|preferred_?user|user)_?name"
    r"|name|birth_?(date|day)|date_of_birth|dob|address|street|gender|ssn|passport|iban|ip"
    r"|ip_?addr(ess)?)(_?number|_?verified)?",
    re.IGNORECASE,
)
EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}\.[A-Za-z]{2,24}")
SECRET_NAME: Final = re.compile(
    r"(\w*_)?(pass|passwd|pwd|password|passphrase|secret|api_?key|private_?key|access_?key"
    r"|client_?secret|credentials?|password_?hash|otp|totp|cvv|pin|credit_?card|refresh_?token)",
    re.IGNORECASE,
)
SECRET_VALUE: Final = re.compile(
    r"\$(2[aby]|argon2(id?|d))\$|-----BEGIN |AKIA[0-9A-Z]{16}|gh[pousr]_\w{20}|sk_live_"
    r"|eyJ[\w-]{10,}\.eyJ"
)


def lint(token: Token, key: Key | None, rules: Rules | None) -> list[Finding]:
    """Every piece of advice on a token, none of which makes it invalid."""
    return [
        *(Finding("spelling", oddity) for oddity in token.oddities),
        *_header_lints(token.header, rules),
        *_life_lints(token, rules),
        *_content_lints(token.claims),
        *_number_lints(token),
        *_key_lints(key),
        *_size_lints(token.size),
    ]


def _header_lints(header: JsonObject, rules: Rules | None) -> Iterator[Finding]:
    kid = header.get("kid")
    if "kid" not in header and rules is None:
        yield Finding("no-kid", "no kid: after a rotation, every key has to be tried")
    elif isinstance(kid, str) and (len(kid) > MAX_KID or not re.fullmatch(r"[\w.:@+/=-]*", kid)):
        yield Finding(
            "odd-kid", f"a kid like {shown(kid[:40])} can be an attack on who looks keys up by it"
        )
    if rules is None:
        for name in KEY_HEADERS:
            if name in header:
                yield Finding(
                    "key-in-header", f"the header brings its own key ({name}): never trust it"
                )
    if header.get("typ") == REFRESH:
        yield Finding(
            "refresh-token",
            "a refresh token: good only for POST /api/auth/refresh; any other request answers 401",
        )
    if rules is not None and header.get("typ") == EMAIL_CHANGE:
        yield Finding(
            "email-change-token",
            "the token of a mailed link: good once, and only for POST /api/auth/confirm-email; any "
            "other request answers 401",
        )


def _life_lints(token: Token, rules: Rules | None) -> Iterator[Finding]:
    exp, iat = token.claims.get("exp"), token.claims.get("iat")
    if exp is None:
        if rules is None:
            yield Finding("no-exp", "no exp: it never expires, a stolen one works for ever")
        return
    if is_timestamp(exp) and is_timestamp(iat):
        life, limit = exp - iat, LONG_REFRESH if token.header.get("typ") == REFRESH else LONG_LIFE
        if life > limit:
            yield Finding(
                "long-life",
                f"it lives {duration(life)}; a stolen one works as long (advised: at most "
                f"{duration(limit)})",
            )
        elif life <= 0:
            yield Finding("negative-life", "exp is not after iat: it was never valid")


def _content_lints(claims: JsonObject) -> Iterator[Finding]:
    """Claims are encoded, not encrypted: everybody who sees the token reads them."""
    personal, secret = [], []
    for path, name, value in _walk(claims):
        text = value if isinstance(value, str) else ""
        if SECRET_NAME.fullmatch(name) or SECRET_VALUE.search(text[:4096]):
            secret.append(path)
        elif PERSONAL.fullmatch(name) or EMAIL.fullmatch(text[:350]):
            personal.append(path)
    if secret:
        yield Finding("secret", f"a secret in the payload, readable by everybody: {_few(secret)}")
    if personal:
        yield Finding(
            "personal-data", f"personal data, readable by everybody who sees it: {_few(personal)}"
        )


def _number_lints(token: Token) -> Iterator[Finding]:
    odd = [
        path
        for part in (token.header, token.claims)
        for path, _, value in _walk(part)
        if isinstance(value, float) and not math.isfinite(value)
    ]
    if odd:
        yield Finding("number", f"no JSON number, or too large for one (RFC 8259 §6): {_few(odd)}")


def _key_lints(key: Key | None) -> Iterator[Finding]:
    if key is not None and key.weakness:
        yield Finding("weak-key", key.weakness)


def _size_lints(size: int) -> Iterator[Finding]:
    if size > MAX_HEADER_BYTES:
        yield Finding(
            "large", f"{size:,} bytes: cookies end at 4,096, and many servers refuse such a header"
        )


def _walk(value: Any, path: str = "", name: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every value below, with its path and the nearest name; the parser has bounded the depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            step = key[:MAX_NAME]
            yield from _walk(inner, f"{path}.{step}" if path else step, step)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{index}]", name)
    else:
        yield path, name, value


def _few(paths: list[str]) -> str:
    """Names of claims, never their values."""
    names = [excerpt(path, 40) for path in dict.fromkeys(paths)]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
