"""`authkit token`: explain a token, or issue one."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from authkit.project.project import Project
from authkit.terminal import console
from authkit.terminal.errors import FAILED, TOKEN_NOT_VALID, AuthkitError, UsageError
from authkit.terminal.options import JsonOption, ProjectOption
from authkit.terminal.safe_text import safe
from authkit.tokens.claims import session_problems
from authkit.tokens.findings import Finding, Rules
from authkit.tokens.keys import load_keys, project_keys
from authkit.tokens.lints import lint
from authkit.tokens.report import Report, Verdict, Verification, examine
from authkit.tokens.text import MAX_TOKEN_BYTES, Malformed, Token, decode_text, read_token
from authkit.tokens.times import local, parse_duration, parse_time

# A day is more than clocks differ by; with much more, nothing would ever be expired.
MAX_LEEWAY = 86_400

app = typer.Typer(
    no_args_is_help=True,
    help="""Explain a token, or issue one.

    Examples:

      pbpaste | authkit token decode           why did this request get a 401?
      authkit token issue ada@example.com      a token to try the API with
    """,
)


@app.command()
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
    home = _find_project(project)
    parsed = _read(token, as_json=as_json)
    status, unanswered = _ask(home, parsed) if online else ({}, None)
    how = _verification(home, key, wanted=verify, status=status, now=now)
    report = examine(parsed, how, now, leeway)
    _print(parsed, report, how, status, now=now, claim=claim, as_json=as_json)
    if report.verdict is Verdict.INVALID or (verify and report.verdict is Verdict.UNVERIFIED):
        raise typer.Exit(TOKEN_NOT_VALID)
    if unanswered is not None:
        raise unanswered


@app.command()
def issue(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose token it is to be.")],
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl",
            metavar="TIME",
            help="How long it is good for: 90s, 15m, 2h, 7d or seconds.",
            show_default="ACCESS_TOKEN_MINUTES",
        ),
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue an access token for a user, with a session of its own.

    The token alone is on standard output. It can be used like any other until it expires or
    `authkit user revoke EMAIL` ends its session.

    Examples:

      authkit token issue ada@example.com --ttl 2h
      curl -H "Authorization: Bearer $(authkit token issue ada@example.com)" $API/users/me
    """
    lifetime = [] if ttl is None else ["--ttl", str(parse_duration(ttl))]
    issued = Project.find(project).manage("token", "issue", *lifetime, operands=[email])
    if as_json:
        console.print_json(issued)
        return
    expires = local(parse_time(str(issued["expiresAt"])))
    print(issued["accessToken"])
    console.message(f"for {safe(issued['email'])}, until {expires}", style="bright_black")


def _find_project(named: Path | None) -> Project | None:
    """The project around us; none is no mistake, unless it was asked for by name."""
    try:
        return Project.find(named)
    except (AuthkitError, OSError):
        if named is not None:
            raise
        return None


def _read(words: list[str] | None, *, as_json: bool) -> Token:
    from authkit.terminal import token_view

    try:
        return read_token(_text(words))
    except Malformed as problem:
        if as_json:
            console.print_json(token_view.malformed_as_json(problem.reasons, problem.header))
        elif problem.header is not None:
            token_view.show_header(problem.header)
        raise UsageError(f"not a token: {problem}", problem.hint) from None


def _text(words: list[str] | None) -> str:
    """The token's text. An unquoted `Bearer eyJ…` arrives as two words."""
    source = " ".join(words or [])
    if source.startswith("@"):
        return _file_text(Path(source.removeprefix("@")))
    if source == "-" or words is None or not words:
        if source != "-" and (sys.stdin is None or sys.stdin.isatty()):
            raise UsageError(
                "no token was given", "as an argument, as @FILE, or piped: … | authkit token decode"
            )
        return decode_text(sys.stdin.buffer.read(MAX_TOKEN_BYTES + 1))
    return source


def _file_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return decode_text(file.read(MAX_TOKEN_BYTES + 1))
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "not a path"
        raise UsageError(f"{safe(path)} can't be read: {reason}") from None


def _verification(
    home: Project | None, key: str | None, *, wanted: bool, status: dict[str, Any], now: float
) -> Verification:
    """What to verify with: `--key` when it is given, or else what the project has."""
    extra = session_problems(status, now) if status else []
    if key is not None:
        return Verification(load_keys(key), wanted=wanted, extra=extra)
    if home is None:
        missing = Finding("no-key", "no key: this is not inside a project, and no --key was given")
        return Verification(missing=missing, wanted=wanted, extra=extra)
    settings = _settings(home)
    keys = project_keys(settings)
    rules = Rules(settings.get("JWT_ISSUER", "app"), settings.get("JWT_AUDIENCE", "app"))
    missing_secret = Finding("no-key", "no key: the project's JWT_SECRET is not set (see .env)")
    return Verification(keys, rules, None if keys else missing_secret, wanted, extra)


def _settings(home: Project) -> dict[str, str]:
    try:
        return home.settings()
    except AuthkitError as failure:
        console.warning(f"{failure.message}; only the environment counts")
        return dict(os.environ)


def _ask(home: Project | None, token: Token) -> tuple[dict[str, Any], AuthkitError | None]:
    """What the project's database says about user and session, or why it could not be asked."""
    if home is None:
        raise UsageError("--online asks a project's database, and this is not inside a project")
    subject = {name: token.claims.get(name) for name in ("sub", "sid")}
    if not all(isinstance(value, str) for value in subject.values()):
        return {}, None
    try:
        return home.manage("token", "status", input=json.dumps(subject)), None
    except AuthkitError as failure:
        failure.exit_code = FAILED
        return {}, failure


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
    from authkit.terminal import token_view

    warnings = lint(token, report.key, how.rules)
    view = token_view.View(token, report, now, warnings, status)
    if claim is not None:
        _print_claim(view, claim, as_json=as_json)
        if how.wanted and report.verdict is not Verdict.VERIFIED:
            console.warning(token_view.headline(view))
    elif as_json:
        console.print_json(token_view.as_json(view))
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


def _print_claim(view: Any, name: str, *, as_json: bool) -> None:
    from authkit.terminal import token_view

    claims = view.token.claims
    if name not in claims:
        there = ", ".join(safe(known[:40]) for known in list(claims)[:20])
        raise UsageError(f"the token has no claim {safe(name)}", f"it has: {there}")
    if as_json:
        console.print_json(token_view.finite(claims[name]))
    else:
        print(token_view.plain(claims[name]))
