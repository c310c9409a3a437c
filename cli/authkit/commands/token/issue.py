"""`authkit token issue`: a token to try the API with."""

from typing import Annotated

import typer

from authkit.project.project import Project
from authkit.terminal import console
from authkit.terminal.options import JsonOption, ProjectOption
from authkit.terminal.safe_text import safe


def issue(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")],
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

    Only the token is on standard output. It works like any other until it expires or
    `authkit user revoke EMAIL` ends its session.

    Examples:

      authkit token issue ada@example.com --ttl 2h
      curl -H "Authorization: Bearer $(authkit token issue ada@example.com)" $API/users/me
    """
    from authkit.tokens.times import local, parse_duration, parse_time

    lifetime = [] if ttl is None else ["--ttl", str(parse_duration(ttl))]
    issued = Project.find(project).manage("token", "issue", *lifetime, operands=[email])
    if as_json:
        console.print_json(issued)
        return
    expires = local(parse_time(str(issued["expiresAt"])))
    print(issued["accessToken"])
    console.message(f"for {safe(issued['email'])}, until {expires}", style="bright_black")
