"""`authkit user`: the people in the project's database, as its operator sees them."""

import typer

from authkit.commands.user import access, events, moving_in, people, sessions

app = typer.Typer(
    no_args_is_help=True,
    help="""The users of the project: make, list, change, sign out.

    Examples:

      authkit user create ada@example.com --role admin
      authkit user list
      authkit user sessions ada@example.com
    """,
)

app.command("create")(people.create)
app.command("list")(people.list_users)
app.command("show")(people.show)
app.command("delete")(people.delete)
app.command("export")(people.export)
app.command("import")(moving_in.import_users)
app.command("activate")(access.activate)
app.command("deactivate")(access.deactivate)
app.command("set-role")(access.set_role)
app.command("set-password")(access.set_password)
app.command("sessions")(sessions.sessions)
app.command("revoke")(sessions.revoke)
app.command("events")(events.events)
