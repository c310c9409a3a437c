"""How a module of this folder offers commands: it has a function `add_commands(commands)`."""

import argparse
import re
from collections.abc import Callable
from typing import Any


def add_group(commands: Any, name: str, help_text: str) -> Any:
    """Add a command that has subcommands, unless another module has added it; returns the object to
    add them to."""
    if name not in commands.choices:
        group = commands.add_parser(name, help=help_text, description=_sentence(help_text))
        group.commands = group.add_subparsers(required=True, metavar="COMMAND")
    return commands.choices[name].commands


def add_command(
    commands: Any,
    name: str,
    handler: Callable[..., Any],
    help_text: str,
    *,
    email: bool = False,
    services: bool = True,
) -> argparse.ArgumentParser:
    """Add a command; returns its parser, for further options.

    Args:
        handler: called with the services and the arguments; its result is printed.
        email: whether its first argument is the e-mail of a user.
        services: False for a handler that takes the arguments alone.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=_sentence(help_text)
    )
    command = parser.prog.rpartition("app.manage ")[2]
    parser.set_defaults(command=command, handler=handler)
    parser.set_defaults(needs_services=services, data_is_bad_news=False)
    parser.add_argument("--json", action="store_true", help="print JSON")
    if email:
        parser.add_argument("email", metavar="EMAIL")
    return parser


def whole_number(text: str) -> int:
    """The type of an option that counts."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"not a whole number of at most nine digits: {text!r}")
    return int(text)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
