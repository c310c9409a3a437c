"""What header and claims say against a token (RFC 7519 §4.1), and what its database row says.

With `Rules` the demands are those of a generated project's `app/accounts/tokens.py`, one for one:
what it answers with 401 is INVALID here, so that the verdict explains the 401.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from authkit.terminal.safe_text import excerpt
from authkit.tokens.findings import Finding, Rules, shown
from authkit.tokens.parts import JsonObject
from authkit.tokens.text import Token
from authkit.tokens.times import MAX_TIMESTAMP, is_timestamp, parse_time, relative, utc

ACCESS, REFRESH, EMAIL_CHANGE = "at+jwt", "rt+jwt", "ec+jwt"
KINDS: Final = {
    ACCESS: "access token",
    REFRESH: "refresh token",
    EMAIL_CHANGE: "e-mail change token",
}
PROJECT_HEADER: Final = {"alg", "typ", "kid"}
PROJECT_MAX_LENGTH: Final = 2048
PROJECT_CLAIMS: Final = ("iss", "aud", "sub", "sid", "jti", "iat", "exp")
IDENTIFIERS: Final = ("sub", "sid", "jti")
# Header fields that offer a key, or the address of one, to whoever verifies (RFC 8725 §3.10).
KEY_HEADERS: Final = ("jwk", "jku", "x5u", "x5c")


def header_problems(token: Token, rules: Rules | None) -> Iterator[Finding]:
    """A header that must be refused; a project takes only headers exactly like its own."""
    header = token.header
    if "crit" in header:
        yield Finding(
            "crit",
            f"the header's crit demands {shown(header['crit'])}, which is not understood and must "
            "therefore be refused (RFC 7515 §4.1.11)",
        )
    if rules is not None:
        yield from _type_header_problems(header)
        yield from _project_header_problems(header)
        yield from _spelling_problems(token)


def _type_header_problems(header: JsonObject) -> Iterator[Finding]:
    """Explicit typing keeps one kind of token out of the other's place (RFC 8725 §3.11)."""
    typ = header.get("typ")
    if not isinstance(typ, str) or typ not in KINDS:
        expected = " or ".join(f"{name} ({kind})" for name, kind in KINDS.items())
        actual = f"is {shown(typ)}" if "typ" in header else "is missing"
        yield Finding("typ", f"typ {actual}; this project issues {expected}")


def _project_header_problems(header: JsonObject) -> Iterator[Finding]:
    if "kid" not in header:
        yield Finding("kid-missing", "kid is missing; this project looks its keys up by it")
    for name in header.keys() - PROJECT_HEADER - {"crit"}:
        if name in KEY_HEADERS:
            yield Finding(
                "key-in-header",
                f"the header brings its own key ({name}); this project trusts only its own "
                "(RFC 8725 §3.10)",
            )
        else:
            yield Finding(
                "header-field",
                f"the header has {shown(name)}; this project accepts only alg, typ and kid",
            )


def _spelling_problems(token: Token) -> Iterator[Finding]:
    if token.size > PROJECT_MAX_LENGTH:
        yield Finding(
            "too-long",
            f"it has {token.size:,} characters; this project reads at most {PROJECT_MAX_LENGTH:,}",
        )
    if b"=" in token.signing_input:
        yield Finding("padded", 'it is padded with "=", which this project refuses')


def claim_problems(
    claims: JsonObject, rules: Rules | None, now: float, leeway: float
) -> Iterator[Finding]:
    """Claims that are missing, of the wrong type, out of their time, or for somebody else."""
    if rules is not None:
        for name in PROJECT_CLAIMS:
            if claims.get(name) is None:
                yield Finding("claim-missing", f"{name} is missing")
    # A null is a missing claim to a project, and no claim at all to everybody else.
    present = {name: value for name, value in claims.items() if value is not None}
    yield from _date_type_problems(present, rules)
    yield from _text_type_problems(present, rules)
    yield from _time_problems(present, now, leeway)
    if rules is not None:
        yield from _origin_problems(present, rules)


def _date_type_problems(present: JsonObject, rules: Rules | None) -> Iterator[Finding]:
    for name in ("exp", "nbf", "iat"):
        if name not in present:
            continue
        value = present[name]
        if not is_timestamp(value):
            milliseconds = " (milliseconds?)" if is_timestamp(_thousandth(value)) else ""
            message = f"{name} is {shown(value)}, not a time in seconds since 1970{milliseconds}"
            yield Finding("claim-type", message)
        elif rules is not None and name != "nbf" and isinstance(value, float):
            yield Finding("claim-type", f"{name} is {shown(value)}; this project wants an integer")


def _thousandth(value: Any) -> float:
    return value / 1000 if isinstance(value, int | float) and value > MAX_TIMESTAMP else -1


def _text_type_problems(present: JsonObject, rules: Rules | None) -> Iterator[Finding]:
    for name in ("iss", "sub", "jti", "sid"):
        value = present.get(name, "")
        if not isinstance(value, str):
            yield Finding("claim-type", f"{name} is {shown(value)}, not a text")
        elif rules is not None and name in IDENTIFIERS and name in present and not _is_uuid(value):
            yield Finding("claim-type", f"{name} is {shown(value)}, not a UUID")
    audience = present.get("aud", "")
    if rules is not None and not isinstance(audience, str):
        yield Finding("claim-type", f"aud is {shown(audience)}; this project wants one text")
    elif not isinstance(audience, str) and not _is_list_of_text(audience):
        yield Finding("claim-type", f"aud is {shown(audience)}, neither a text nor a list of texts")


def _time_problems(claims: JsonObject, now: float, leeway: float) -> Iterator[Finding]:
    exp, nbf, iat = (claims.get(name) for name in ("exp", "nbf", "iat"))
    if is_timestamp(exp) and exp <= now - leeway:
        yield Finding("expired", f"expired {relative(exp, now)} ({utc(exp)})")
    if is_timestamp(nbf) and nbf > now + leeway:
        yield Finding("not-yet", f"not valid before {utc(nbf)} ({relative(nbf, now)}; nbf)")
    if is_timestamp(iat) and iat > now + leeway:
        yield Finding(
            "issued-later",
            f"issued {relative(iat, now)} ({utc(iat)}; iat): one of the clocks is wrong",
        )


def _origin_problems(claims: JsonObject, rules: Rules) -> Iterator[Finding]:
    issuer, audience = claims.get("iss"), claims.get("aud")
    if isinstance(issuer, str) and issuer != rules.issuer:
        yield Finding("iss", f"iss is {shown(issuer)}; this project is {shown(rules.issuer)}")
    if isinstance(audience, str) and audience != rules.audience:
        yield Finding("aud", f"aud is {shown(audience)}; this project is {shown(rules.audience)}")


def session_problems(status: Mapping[str, Any], now: float) -> list[Finding]:
    """What the project's database holds against a token (`app.manage token status`)."""
    return [*_user_problems(status.get("user")), *_state_problems(status.get("session"), now)]


def _user_problems(user: Any) -> Iterator[Finding]:
    if not isinstance(user, dict):
        yield Finding("user-unknown", "there is no such user in the project's database")
    elif not user.get("isActive", True):
        yield Finding("user-inactive", f"the user {shown(user.get('email'))} is deactivated")


def _state_problems(session: Any, now: float) -> Iterator[Finding]:
    if not isinstance(session, dict):
        yield Finding(
            "session-unknown",
            "there is no such session: it was purged, or the token is from another database",
        )
        return
    if session.get("revokedAt"):
        revoked = parse_time(str(session["revokedAt"]))
        reason = excerpt(session.get("revokedReason") or "no reason recorded", 80).replace("_", " ")
        yield Finding(
            "session-revoked", f"its session was ended {relative(revoked, now)}: {reason}"
        )
    if session.get("expiresAt") and (ends := parse_time(str(session["expiresAt"]))) <= now:
        yield Finding("session-expired", f"its session expired {relative(ends, now)}")


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
