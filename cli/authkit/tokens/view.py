"""A judged token as it is told: everything as JSON, or the lines that a person reads.

Everything that the token says passes through `safe`: its author may be an attacker, and the
reader's terminal would execute escape sequences (CWE-150). Lines have styles but are not drawn
here.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from authkit.terminal.safe_text import excerpt, safe
from authkit.tokens.claims import KINDS
from authkit.tokens.findings import Finding
from authkit.tokens.keys import Key
from authkit.tokens.parts import JsonObject
from authkit.tokens.report import Report, Verdict
from authkit.tokens.text import Token
from authkit.tokens.times import is_timestamp, iso, local, relative, utc

# A piece of text and its style; a line is a row of them, so that a pipe needs no rich at all.
Span = tuple[str, str]
Line = list[Span]
# The name of a field, and what stands beside it.
Row = tuple[str, Line]

MAX_ROWS: Final = 40
MAX_VALUE: Final = 160
MAX_NAME: Final = 40
DATES: Final = ("exp", "nbf", "iat", "auth_time", "updated_at")
COLOURS: Final = {
    Verdict.VERIFIED: "green",
    Verdict.UNVERIFIED: "yellow",
    Verdict.INVALID: "red",
}
MARKS: Final = {Verdict.VERIFIED: "✓", Verdict.UNVERIFIED: "?", Verdict.INVALID: "✗"}
DIM: Final = "bright_black"


@dataclass(frozen=True)
class View:
    """What is shown: the token, its verdict, and what the project's database knows of it."""

    token: Token
    report: Report
    now: float
    warnings: Sequence[Finding] = ()
    status: JsonObject = field(default_factory=dict)


def as_json(view: View) -> JsonObject:
    """Everything, for a program. What JSON can't say (NaN, Infinity) becomes a text."""
    key, claims = view.report.key, view.token.claims
    dates = {name: claims[name] for name in DATES if is_timestamp(claims.get(name))}
    return {
        "verdict": view.report.verdict.value,
        "keyId": key.kid if key else None,
        "key": key.name if key else None,
        "kind": _kind(view.token.header),
        "reasons": _findings(view.report.reasons),
        "warnings": _findings((*view.report.warnings, *view.warnings)),
        "header": finite(view.token.header),
        "claims": finite(claims),
        "dates": {
            name: {"utc": iso(date), "local": local(date), "relative": relative(date, view.now)}
            for name, date in dates.items()
        },
        **view.status,
    }


def malformed_as_json(reasons: Iterable[str], header: JsonObject | None) -> JsonObject:
    return {
        "verdict": "MALFORMED",
        "reasons": _findings(Finding("malformed", reason) for reason in reasons),
        "header": finite(header),
        "claims": None,
    }


def finite(value: Any) -> Any:
    """The same value with `NaN` and `Infinity`, which JSON does not have, as texts."""
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def plain(value: Any) -> str:
    """One claim for a script: a text as it is (escaped where it could steer a terminal)."""
    if isinstance(value, str):
        return safe(value)
    return safe(json.dumps(finite(value), ensure_ascii=False))


def headline(view: View) -> str:
    """The verdict in a line, for where there is room for no more."""
    reasons = "; ".join(reason.message for reason in view.report.reasons)
    return f"{view.report.verdict}{': ' if reasons else ''}{reasons}"


def header_rows(header: JsonObject) -> list[Row]:
    """The header, and which kind of token its `typ` is."""
    kind = _kind(header)
    return _rows(header, lambda name, _: [(kind, DIM)] if kind and name == "typ" else [])


def claim_rows(view: View) -> list[Row]:
    """The claims, and what each means."""
    return _rows(view.token.claims, lambda name, value: _remark(view, name, value))


def verdict_lines(view: View) -> list[Line]:
    """A line for each reason; of a good token, the key that it was signed with."""
    report = view.report
    mark = (f"{MARKS[report.verdict]} ", f"bold {COLOURS[report.verdict]}")
    lines: list[Line] = [[mark, (reason.message, "")] for reason in report.reasons]
    if report.key is not None and report.verdict is Verdict.VERIFIED:
        lines.append([mark, *_signed_by(report.key, view)])
    return lines


def _kind(header: JsonObject) -> str | None:
    typ = header.get("typ")
    return KINDS.get(typ) if isinstance(typ, str) else None


def _findings(findings: Iterable[Finding]) -> list[dict[str, str]]:
    return [{"code": finding.code, "message": finding.message} for finding in findings]


def _remark(view: View, name: str, value: Any) -> Line:
    """What a claim means: a date in words, the user behind `sub`, the state of the session."""
    if name in DATES and is_timestamp(value):
        return _date_remark(name, value, view.now)
    user, session = view.status.get("user"), view.status.get("session")
    if name == "sub" and isinstance(user, dict):
        state = "active" if user.get("isActive") else "inactive"
        who = f"{excerpt(user.get('email'), 80)} · {excerpt(user.get('role'), 20)} · "
        return [(who, "bold"), (state, "green" if state == "active" else "red")]
    if name == "sid" and isinstance(session, dict):
        ended = bool(session.get("revokedAt"))
        return [("session ended", "red")] if ended else [("session live", "green")]
    return []


def _date_remark(name: str, date: float, now: float) -> Line:
    words, style = relative(date, now), "bold"
    if name == "exp":
        over = date <= now
        words, style = f"{'expired' if over else 'expires'} {words}", "red" if over else "green"
    elif name == "iat":
        words = f"issued {words}"
    return [(words, style), (f" · {_clocks(utc(date), local(date))}", DIM)]


def _clocks(there: str, here: str) -> str:
    """UTC and the reader's own time; the day once, where it is the same."""
    if here.endswith("+0000"):
        return there
    day = there[:11]
    return f"{there} · {here.removeprefix(day)}"


def _rows(values: JsonObject, remark: Callable[[str, Any], Line]) -> list[Row]:
    rows = []
    for name, value in list(values.items())[:MAX_ROWS]:
        line, remarks = [_value(value)], remark(name, value)
        if remarks:
            line += [(" · ", DIM), *remarks]
        rows.append((excerpt(name, MAX_NAME), line))
    if len(values) > MAX_ROWS:
        rows.append(("…", [(f"{len(values) - MAX_ROWS:,} more; --json shows all", DIM)]))
    return rows


def _value(value: Any) -> Span:
    """A text without quotes, unless it could be taken for something else; the rest as JSON."""
    style = "" if isinstance(value, str) else "cyan"
    bare = isinstance(value, str) and value and not _reads_as_json(value)
    text = value if bare else json.dumps(value, ensure_ascii=False)
    if len(text) > MAX_VALUE:
        text = f"{text[:MAX_VALUE]}… ({len(text):,} characters)"
    return safe(text), style


def _reads_as_json(text: str) -> bool:
    try:
        json.loads(text[:MAX_VALUE])
    except (ValueError, RecursionError):
        return False
    return True


def _signed_by(key: Key, view: View) -> Line:
    kind = _kind(view.token.header) or f"{safe(view.token.header['alg'])} token"
    exp = view.token.claims.get("exp")
    life = f", expires {relative(exp, view.now)}" if is_timestamp(exp) else ", never expires"
    return [(f"{kind} signed with ", ""), (safe(str(key)), "bold"), (life, "")]
