"""`authkit token`: explain a token, or issue one."""

import typer

from authkit.commands.token.decode import decode
from authkit.commands.token.issue import issue

app = typer.Typer(
    no_args_is_help=True,
    help="""Explain a token, or issue one.

    Examples:

      pbpaste | authkit token decode           why did this request get a 401?
      authkit token issue ada@example.com      a token to try the API with
    """,
)

app.command()(decode)
app.command()(issue)
