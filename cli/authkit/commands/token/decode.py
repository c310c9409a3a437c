"""`authkit token decode`: what a token says, whether that is true, and why not."""

import sys
import time
from typing import Annotated, Any

import typer

from authkit.commands.token.sources import token_text
from authkit.commands.token.verification import ask_database, find_project, verification
from authkit.terminal import console, token_view
from authkit.terminal.errors import TOKEN_NOT_VALID, UsageError
from authkit.terminal.options import JsonOption, ProjectOption
from authkit.terminal.safe_text import safe
from authkit.tokens import view as told
from authkit.tokens.lints import lint
from authkit.tokens.report import Report, Verdict, Verification, examine
from authkit.tokens.text import Malformed, Token, read_token
from authkit.tokens.times import parse_time

# A day is more than clocks differ by; with much more, nothing would ever be expired.
MAX_LEEWAY = 86_400


def decode(
    token: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOKEN | - | @FILE]",
            help="The token, - for standard input, or @FILE. Piped, it may be left out.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="@FILE|env:NAME",
            help="Verify with this instead of the project's keys: a secret, PEM or JWKS.",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Check the signature, or only show.")
    ] = True,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the project's database for user and session.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="Judge it at this time: ISO 8601 or epoch seconds."
        ),
    ] = None,
    leeway: Annotated[
        int,
        typer.Option(
            "--leeway",
            metavar="S",
            min=0,
            max=MAX_LEEWAY,
            help="Seconds that clocks may differ by.",
        ),
    ] = 0,
    claim: Annotated[
        str | None, typer.Option("--claim", metavar="NAME", help="Print this claim alone.")
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a token says, whether that is true, and why not.

    Inside a project it is verified with the project's keys, issuer, audience and types; the verdict
    is VERIFIED, UNVERIFIED or INVALID, with every reason. It works while the database is down.
    "Authorization: Bearer", quotes and line breaks around the token do not matter.

    Exit codes: 0 verified, or shown with --no-verify; 2 not a token; 5 not valid, or not verified.

    Examples:

      authkit token decode "$TOKEN"                       why was it refused?
      pbpaste | authkit token decode                      keeps it out of the shell's history
      authkit token decode @token.txt --online            is the user active, the session revoked?
      authkit token decode @token.txt --key @jwks.json    somebody else's token, and their keys
      authkit token decode @token.txt --claim sub         one claim alone, for a script
    """
    now = parse_time(at) if at is not None else time.time()
    home = find_project(project)
    parsed = _read(token, as_json=as_json)
    status, unanswered = ask_database(home, parsed) if online else ({}, None)
    how = verification(home, key, wanted=verify, status=status, now=now)
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
