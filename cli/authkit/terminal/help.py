"""The help of each command: one page, from which the terminal and the documents are both made.

A command's docstring is its help: a first sentence, paragraphs, and after `Examples:` indented
lines that stay as they are written (a comment stands two spaces or more behind the command).
"""

import inspect
import re
import textwrap
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

from typer import Context
from typer.core import TyperCommand, TyperGroup

from authkit.terminal import console
from authkit.terminal.errors import UsageError

WIDTH = 100
EXAMPLES = re.compile(r"Examples?:\s*")
# Typer writes the type of a value as Python spells it.
TYPE = re.compile(r"<([^>]+)>")
VALUE_NAMES = {"str": "TEXT", "int": "N", "int range": "N", "float": "X", "float range": "X"}


class Entry(NamedTuple):
    """An argument, an option or a subcommand, and what it is for."""

    name: str
    meaning: str


@dataclass(frozen=True)
class Page:
    """Everything that is known about one command."""

    name: str
    usage: str
    summary: str
    details: list[str]
    sections: dict[str, list[Entry]]
    examples: list[str]


def page_of(command: TyperCommand | TyperGroup, ctx: Context) -> Page:
    """Read a command's page from its signature and its docstring."""
    summary, details, examples = read_prose(command)
    return Page(
        name=ctx.command_path,
        usage=usage(command, ctx),
        summary=summary,
        details=details,
        sections=subcommands(command, ctx) | parameters(command, ctx),
        examples=examples,
    )


def read_prose(command: TyperCommand | TyperGroup) -> tuple[str, list[str], list[str]]:
    """The first sentence, the paragraphs, and the lines of the examples."""
    texts = (inspect.cleandoc(text or "") for text in (command.help, command.epilog))
    blocks = "\n\n".join(texts).replace("\b\n", "").split("\n\n")
    prose = [block for block in blocks if not block.startswith(" ")]
    examples = [line for block in blocks if block.startswith(" ") for line in block.splitlines()]
    summary, *details = [" ".join(b.split()) for b in prose if b and not EXAMPLES.fullmatch(b)]
    return summary, details, textwrap.dedent("\n".join(examples)).splitlines()


def usage(command: TyperCommand | TyperGroup, ctx: Context) -> str:
    """The command line in one line: what must be there, and what may be."""
    if isinstance(command, TyperGroup):
        return f"{ctx.command_path} [OPTIONS] COMMAND …"
    params = command.get_params(ctx)
    arguments = [param for param in params if param.param_type_name == "argument"]
    names = [
        name if param.required or name.startswith("[") else f"[{name}]"
        for param in arguments
        for name in [argument_name(param)]
    ]
    return " ".join([ctx.command_path, "[OPTIONS]", *names])


def argument_name(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def subcommands(command: TyperCommand | TyperGroup, ctx: Context) -> dict[str, list[Entry]]:
    """The commands of a group, by panel."""
    panels: dict[str, list[Entry]] = {}
    if not isinstance(command, TyperGroup):
        return panels
    for name in command.list_commands(ctx):
        child = command.get_command(ctx, name)
        if isinstance(child, (TyperCommand, TyperGroup)) and not child.hidden:
            panel = child.rich_help_panel or "Commands"
            panels.setdefault(panel, []).append(Entry(name, read_prose(child)[0]))
    return panels


def parameters(command: TyperCommand | TyperGroup, ctx: Context) -> dict[str, list[Entry]]:
    """The arguments and options of a command, with their defaults."""
    sections: dict[str, list[Entry]] = {}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is None:
            continue
        name, meaning = record
        if param.param_type_name == "argument":
            entry = Entry(argument_name(param), meaning.replace("  [required]", ""))
            sections.setdefault("Arguments", []).append(entry)
        else:
            entry = Entry(TYPE.sub(value_name, name), meaning)
            sections.setdefault("Options", []).append(entry)
    return sections


def value_name(match: re.Match[str]) -> str:
    """`<int range>` as N, and choices as they are typed."""
    kind = match[1]
    return kind if "|" in kind else VALUE_NAMES.get(kind, kind.upper())


def show(page: Page) -> None:
    """Print a page on stdout."""
    from rich.text import Text

    out = console.out
    width = min(out.width, WIDTH)
    for paragraph in (page.summary, *page.details):
        out.print(Text(textwrap.fill(paragraph, width)), end="\n\n")
    out.print(Text.assemble(("Usage: ", "bold"), page.usage), soft_wrap=True)
    for title, entries in page.sections.items():
        out.print(Text(f"\n{title}:", style="bold"))
        column = min(max(len(entry.name) for entry in entries) + 4, max(width // 2, 12))
        for name, meaning in entries:
            show_entry(
                name,
                textwrap.wrap(meaning, max(width - column, 20), break_on_hyphens=False) or [""],
                column,
            )
    if page.examples:
        out.print(Text("\nExamples:", style="bold"))
    for line in page.examples:
        command, gap, comment = re.split(r"(\s{2,}|$)", line, maxsplit=1)
        out.print(Text.assemble("  ", command, gap, (comment, "dim")), soft_wrap=True)


def show_entry(name: str, lines: list[str], column: int) -> None:
    """The name and beside it what it means; below it, where the name leaves no room."""
    from rich.text import Text

    out = console.out
    beside = len(name) + 4 <= column
    first = lines[0] if beside else ""
    out.print(Text.assemble(("  " + name.ljust(column - 2), "cyan"), first), soft_wrap=True)
    for line in lines[1:] if beside else lines:
        out.print(Text(" " * column + line), soft_wrap=True)


class Command(TyperCommand):
    """A command whose help is `show`n."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        show(page_of(self, ctx))


class Group(TyperGroup):
    """A group of commands whose help is `show`n, and which knows what a typo was meant to be."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        show(page_of(self, ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            raise UsageError(
                f"there is no command {args[0]!r}",
                did_you_mean(get_close_matches(args[0], self.list_commands(ctx)), ctx),
            )
        return super().resolve_command(ctx, args)


def did_you_mean(names: list[str], ctx: Any) -> str:
    """A guess at what was meant; without one, where to look it up."""
    if names:
        return f"did you mean {' or '.join(names)}?"
    return f"see {ctx.command_path} --help" if ctx else "see authkit --help"
