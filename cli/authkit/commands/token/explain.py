"""What `token decode` does: read a token, judge it, print the answer; the exit code is the verdict.

Apart from the command, so that listing the commands does not import what judging takes.
"""

import sys
import time
from pathlib import Path
from typing import Any

import typer

from authkit.commands.token.fetch import is_address
from authkit.commands.token.sources import load_keys, token_text
from authkit.commands.token.verification import ask_database, find_project, verification
from authkit.terminal import console, token_view
from authkit.terminal.errors import TOKEN_NOT_VALID, UsageError
from authkit.terminal.safe_text import safe
from authkit.tokens import view as told
from authkit.tokens.lints import lint
from authkit.tokens.report import Report, Verdict, Verification, examine
from authkit.tokens.text import Malformed, Token, read_token
from authkit.tokens.times import parse_time


def explain(
    words: list[str] | None,
    project: Path | None,
    key: str | None,
    at: str | None,
    claim: str | None,
    *,
    verify: bool,
    online: bool,
    leeway: int,
    as_json: bool,
) -> None:
    """Judge the token in the command's words and print what was asked for."""
    now = parse_time(at) if at is not None else time.time()
    home = find_project(project)
    parsed = _read(words, as_json=as_json)
    given = load_keys(key, online=online) if key is not None else None
    if online and key is not None and not is_address(key):
        console.warning("--online: no database is asked about a token that --key verifies")
    # It is somebody else's: the project's database knows nothing of it, and learns nothing.
    asks = online and key is None
    status, unanswered = ask_database(home, parsed) if asks else ({}, None)
    how = verification(home, given, parsed, wanted=verify, status=status, now=now)
    report = examine(parsed, how, now, leeway)
    _print(parsed, report, how, status, now=now, claim=claim, as_json=as_json)
    if report.verdict is Verdict.INVALID or (verify and report.verdict is Verdict.UNVERIFIED):
        raise typer.Exit(TOKEN_NOT_VALID)
    if unanswered is not None:
        raise unanswered


def _read(words: list[str] | None, *, as_json: bool) -> Token:
    try:
        return read_token(token_text(words))
    except Malformed as problem:
        if as_json:
            console.print_json(told.malformed_as_json(problem.reasons, problem.header))
        elif problem.header is not None:
            token_view.show_header(problem.header)
        raise UsageError(f"not a token: {problem}", problem.hint) from None


def _print(
    token: Token,
    report: Report,
    how: Verification,
    status: dict[str, Any],
    *,
    now: float,
    claim: str | None,
    as_json: bool,
) -> None:
    warnings = lint(token, report.key, how.rules)
    view = told.View(token, report, now, warnings, status)
    if claim is not None:
        _print_claim(view, claim, as_json=as_json)
        if how.wanted and report.verdict is not Verdict.VERIFIED:
            console.warning(told.headline(view))
    elif as_json:
        console.print_json(told.as_json(view))
    else:
        token_view.show(view)
        if sys.stdout.isatty() and (advice := _advice(report, how, status)):
            console.message(advice, style="bright_black")


def _advice(report: Report, how: Verification, status: dict[str, Any]) -> str:
    """What to type next, for the person at the terminal."""
    if how.rules is not None and not status and report.verdict is Verdict.VERIFIED:
        return "Refused all the same? --online asks whether user and session are still good."
    if how.rules is not None and [reason.code for reason in report.reasons] == ["expired"]:
        return "A new one: POST /api/auth/refresh, or: authkit token issue EMAIL"
    if how.missing is not None and how.rules is None:
        return "Give a key with --key @FILE or --key env:NAME, or only show it: --no-verify"
    return ""


def _print_claim(view: told.View, name: str, *, as_json: bool) -> None:
    claims = view.token.claims
    if name not in claims:
        there = ", ".join(safe(known[:40]) for known in list(claims)[:20])
        raise UsageError(f"the token has no claim {safe(name)}", f"it has: {there}")
    if as_json:
        console.print_json(told.finite(claims[name]))
    else:
        print(told.plain(claims[name]))
