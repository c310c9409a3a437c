"""`authkit token`: explain a token, issue one, and administer personal tokens."""

import typer

from authkit.commands.token import personal
from authkit.commands.token.decode import decode
from authkit.commands.token.issue import issue

app = typer.Typer(
    no_args_is_help=True,
    help="""Explain a token, issue one, and administer personal tokens.

    Examples:

      pbpaste | authkit token decode           why did this request get a 401?
      authkit token issue ada@example.com      a token to try the API with
      authkit token create ci@example.com      a token that a script keeps
    """,
)

app.command()(decode)
app.command()(issue)
app.command("create")(personal.create)
app.command("list")(personal.list_tokens)
app.command("revoke")(personal.revoke)
