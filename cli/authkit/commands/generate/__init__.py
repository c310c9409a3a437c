"""`authkit generate`: code that is the owner's from then on."""

import typer

from authkit.commands.generate.resource import EPILOG, resource

app = typer.Typer(
    no_args_is_help=True,
    help="""Write code that is yours from then on.

    Examples:

      authkit generate resource note title:string body:text?
    """,
)

app.command(epilog=EPILOG)(resource)
