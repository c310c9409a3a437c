"""Write `docs/commands.md` from the commands themselves: `python scripts/commands_doc.py`.

With `--check` nothing is written; the exit code is 1 when the document is out of date.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from authkit.cli import build
from authkit.terminal.help import Page, page_of

DOCUMENT = Path(__file__).parents[1] / "docs" / "commands.md"
INTRODUCTION = """\
# The commands

<!-- Made by `python scripts/commands_doc.py` from the commands: change their docstrings. -->

Every command takes `--help`. With `--json` the data is alone on standard output. In a pipe there is
no colour and no question, and tables are tab-separated. `--project DIR` may stand before or after
the command's name. Exit codes: 0 done, 1 failed, 2 wrong usage or malformed input, 3 an update is
available, 4 an update left conflicts, 5 the token is not valid, 130 interrupted.
"""


def pages() -> Iterator[Page]:
    """The page of every command, groups before their members."""
    root = get_group(build())
    yield from walk(root, Context(root, info_name="authkit"))


def walk(command: TyperCommand | TyperGroup, ctx: Context) -> Iterator[Page]:
    yield page_of(command, ctx)
    if isinstance(command, TyperGroup):
        for name in command.list_commands(ctx):
            child = command.get_command(ctx, name)
            if isinstance(child, (TyperCommand, TyperGroup)) and not child.hidden:
                yield from walk(child, Context(child, info_name=name, parent=ctx))


def document() -> str:
    """The whole text."""
    _, *commands = pages()
    groups = {page.name for page in commands if "Commands" in page.sections}
    overview = ["| command | what it does |", "| --- | --- |"]
    overview += [
        f"| [`{page.name}`](#{anchor(page)}) | {cell(page.summary)} |"
        for page in commands
        if page.name not in groups
    ]
    parts = [INTRODUCTION, "\n".join(overview), *map(section, commands)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def section(page: Page) -> str:
    """One command: its summary, paragraphs, usage, parameters and examples."""
    lines = [f"## {page.name}", page.summary, *page.details, f"```text\n{page.usage}\n```"]
    for title, entries in page.sections.items():
        shown = [entry for entry in entries if "--help" not in entry.name]
        rows = [f"| `{cell(name)}` | {cell(meaning)} |" for name, meaning in shown]
        if rows:
            lines.append("\n".join([f"| {title.lower()} | |", "| --- | --- |", *rows]))
    if page.examples:
        lines.append("```sh\n" + "\n".join(map(example, page.examples)) + "\n```")
    return "\n\n".join(lines)


def example(line: str) -> str:
    """An example as a shell would take it: what stands apart from the command is a comment."""
    command, _, comment = line.partition("   ")
    return f"{command}  # {comment.strip()}" if comment.strip() else line


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def anchor(page: Page) -> str:
    return page.name.replace(" ", "-")


def main() -> int:
    text = document()
    if "--check" in sys.argv[1:]:
        return int(DOCUMENT.read_text(encoding="utf-8") != text)
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
