"""Record the README's pictures from real runs: `python scripts/record_pictures.py`.

Runs `new`, `token decode` and `doctor` in a terminal of their own and writes what stands on it then
as SVG to docs/pictures/. What a run makes up, passwords and tokens, is masked: the development
users it belongs to are gone with the scratch directory.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pexpect
import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
AUTHKIT = str(Path(sys.executable).with_name("authkit"))
COLUMNS, LINES = 88, 60
# What follows the address of a seeded user in its line is the password.
PASSWORD = re.compile(r"(?<=@example\.com)(\s+\w+\s+)(\S{12,})")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        record("new", ["authkit new myapi --defaults"], directory)
        project = directory / "myapi"
        issue = [AUTHKIT, "token", "issue", "user@example.com", "--ttl", "60"]
        token = subprocess.run(issue, cwd=project, capture_output=True, text=True, check=True)
        (project / "token.txt").write_text(f"Bearer {token.stdout}")
        revoke = [AUTHKIT, "user", "revoke", "user@example.com", "--yes"]
        subprocess.run(revoke, cwd=project, check=True, stdout=subprocess.DEVNULL)
        record("token-decode", ["authkit token decode @token.txt --online"], project)
        (project / ".env").chmod(0o644)
        with (project / ".env").open("a") as settings:
            settings.write("ENVIRONMENT=production\n")
        record("doctor", ["authkit doctor"], project)


def record(name: str, commands: list[str], directory: Path) -> None:
    """Run commands one after the other and draw the screen they leave."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    for command in commands:
        stream.feed(f"\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m\r\n".encode())
        stream.feed(run_in_terminal(command, directory))
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    for line in lines_of(screen):
        console.print(line, no_wrap=True, crop=False)
    svg = console.export_svg(title=f"authkit {name.replace('-', ' ')}", unique_id=name)
    (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(PICTURES / f"{name}.svg")


def run_in_terminal(command: str, directory: Path) -> bytes:
    """What a command writes to a terminal. Its exit code is of no interest to a picture."""
    environ = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC"}
    program = command.replace("authkit", AUTHKIT, 1)
    with pexpect.spawn(
        program, cwd=directory, env=environ, dimensions=(LINES, COLUMNS), timeout=300
    ) as terminal:
        return bytes(terminal.read())


def lines_of(screen: pyte.Screen) -> list[Text]:
    """The screen's lines down to the last that is not empty, with passwords masked."""
    lines = [styled(screen, row) for row in range(LINES)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    return lines


def styled(screen: pyte.Screen, row: int) -> Text:
    cells = [screen.buffer[row][column] for column in range(COLUMNS)]
    plain = "".join(cell.data for cell in cells)
    shown = PASSWORD.sub(lambda match: match[1] + "•" * len(match[2]), plain)
    text = Text()
    for character, cell in zip(shown, cells, strict=True):
        text.append(character, style_of(cell))
    text.rstrip()
    return text


def style_of(cell: pyte.screens.Char) -> Style:
    """A cell's colour; pyte names the sixteen and spells the others in hexadecimal."""
    names = {"brown": "yellow", "default": None}
    colour = names.get(cell.fg, cell.fg)
    if colour and re.fullmatch(r"[0-9a-f]{6}", colour):
        colour = f"#{colour}"
    elif colour and colour.startswith("bright"):
        colour = f"bright_{names.get(colour[6:], colour[6:])}"
    return Style(color=colour, bold=cell.bold, italic=cell.italics, underline=cell.underscore)


if __name__ == "__main__":
    main()
