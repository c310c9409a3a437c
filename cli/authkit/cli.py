"""The command line: which commands there are, and what becomes of their failures.

A command is a file in `authkit/commands/` named like it, with a function of the same name (and
`EPILOG`, if its help is long), or a package with `app`, a `typer.Typer` with subcommands; its name
in `COMMANDS` registers it. It takes the shared options from `authkit.terminal.options`, prints
through `authkit.terminal.console`, raises `AuthkitError`, and imports anything heavy inside the
function, so that `authkit --help` stays fast.
"""

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from authkit import __version__
from authkit.terminal import console
from authkit.terminal.errors import FAILED, INTERRUPTED, USAGE, AuthkitError
from authkit.terminal.help import Command, Group, did_you_mean
from authkit.terminal.options import ProjectOption
from authkit.terminal.safe_text import safe

COMMANDS = {
    "Make": ("new", "generate", "update", "add", "remove", "client"),
    "Run": ("serve", "migrate", "seed", "test"),
    "Operate": ("user", "token", "keys", "purge"),
    "Look": ("info", "doctor", "openapi"),
}


def show_version(wanted: bool) -> None:
    if wanted:
        print(f"authkit {__version__}")
        raise typer.Exit


def root(
    project: ProjectOption = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True),
    ] = False,
) -> None:
    """Generate a FastAPI project with authentication, and operate it.

    Examples:

      authkit new myapi                  a project: installed, migrated, seeded
      cd myapi && authkit serve          its API on http://127.0.0.1:8000
      authkit token decode @token.txt    why was this token refused?
      authkit doctor                     what is unsafe, missing or out of date
    """


def group(project: ProjectOption = None) -> None:
    """What `user`, `token` and `keys` take before the name of their command."""


class Root(Group):
    """The commands of `COMMANDS`, each imported when it is called, or when all are listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            self.add_command(load(cmd_name), cmd_name)
        return super().get_command(ctx, cmd_name)


def load(name: str) -> TyperCommand | TyperGroup:
    """The command in `authkit.commands.<name>`: its Typer `app`, or the function named like it."""
    module = import_module(f"authkit.commands.{name}")
    panel = next(panel for panel, names in COMMANDS.items() if name in names)
    holder = typer.Typer(callback=root)
    if hasattr(module, "app"):
        for command in module.app.registered_commands:
            command.cls = Command
        module.app.callback()(group)
        holder.add_typer(module.app, name=name, cls=Group, rich_help_panel=panel)
    else:
        epilog = getattr(module, "EPILOG", None)
        register = holder.command(name, cls=Command, epilog=epilog, rich_help_panel=panel)
        register(getattr(module, name))
    return cast("TyperCommand | TyperGroup", get_group(holder).commands[name])


def build() -> typer.Typer:
    """The whole command line."""
    return typer.Typer(
        name="authkit",
        cls=Root,
        callback=root,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def main() -> NoReturn:
    """Run the command line; the only place where a failure becomes a message and an exit code."""
    prepare_streams()
    try:
        exit_code = build()(prog_name="authkit", standalone_mode=False)
        sys.stdout.flush()
    except AuthkitError as failure:
        console.error(failure.message, failure.hint)
        sys.exit(failure.exit_code)
    except typer.TyperException as failure:
        exit_code = report_usage(failure)
    except typer.Abort:
        exit_code = INTERRUPTED
    except OSError as failure:
        exit_code = report_os_error(failure)
    if exit_code == INTERRUPTED:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # the cursor stands behind the terminal's own "^C"
        console.error("interrupted")
    sys.exit(exit_code or 0)


def prepare_streams() -> None:
    """Give what runs here three streams that work, whatever it was started with."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started us: `>&-`, some service managers
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that can't show "✓" gets "?", not a traceback.
            stream.reconfigure(errors="replace")


def report_os_error(failure: OSError) -> int:
    """A full disk, a missing permission: what the system says, and about which file."""
    # What could not be written must not be tried again, and fail again, on the way out.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    where = f"{safe(failure.filename)}: " if failure.filename else ""
    console.error(f"{where}{failure.strerror or failure}")
    return FAILED


def report_usage(failure: typer.TyperException) -> int:
    """A command line that could not be understood, in the form of every other failure."""
    message = failure.format_message().replace(": Value error, ", ": ")
    unknown = getattr(failure, "option_name", "") if hasattr(failure, "possibilities") else ""
    if unknown:
        message = f"there is no option {unknown}"
    if message:  # empty when a group was called alone: its help has been printed
        names = list(getattr(failure, "possibilities", None) or [])
        console.error(message, did_you_mean(names, getattr(failure, "ctx", None)))
    return USAGE


if __name__ == "__main__":
    main()
