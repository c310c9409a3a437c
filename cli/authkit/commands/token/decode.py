"""`authkit token decode`: what a token says, whether that is true, and why not."""

from typing import Annotated

import typer

from authkit.terminal.options import JsonOption, ProjectOption

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
            metavar="@FILE|env:NAME|URL",
            help="Verify with this instead of the project's keys: a secret, PEM or JWKS.",
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify/--no-verify", help="Check the signature, or only show the token."),
    ] = True,
    online: Annotated[
        bool,
        typer.Option(
            "--online", help="Ask the database for user and session, and fetch --key URL."
        ),
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
        str | None, typer.Option("--claim", metavar="NAME", help="Print only this claim.")
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a token says, whether it is valid, and if not, why.

    Inside a project it is verified with the project's keys, issuer, audience and types; the verdict
    is VERIFIED, UNVERIFIED or INVALID, with every reason. It works while the database is down.
    "Authorization: Bearer", quotes and line breaks around the token do not matter.

    Exit codes: 0 verified, or shown with --no-verify; 2 not a token; 5 not valid, or not verified.

    Examples:

      authkit token decode "$TOKEN"                       why was it refused?
      pbpaste | authkit token decode                      keeps it out of the shell's history
      authkit token decode @token.txt --online            is the user active, the session revoked?
      authkit token decode @token.txt --key @jwks.json    somebody else's token, and their keys
      authkit token decode @t --online --key https://idp.example.com/jwks.json
      authkit token decode @token.txt --claim sub         one claim alone, for a script
    """
    from authkit.commands.token.explain import explain

    explain(
        token,
        project,
        key,
        at,
        claim,
        verify=verify,
        online=online,
        leeway=leeway,
        as_json=as_json,
    )
