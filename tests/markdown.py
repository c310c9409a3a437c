"""Reading our documents as a reader does: sections, tables, and blocks of code with captions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
CAPTION = re.compile(r"^`(?P<path>[^`]+)`$")


@dataclass(frozen=True)
class Block:
    """A block of code. Its caption is the last line before it that is a path alone in backticks;
    blocks that follow each other without a word between share one."""

    language: str
    text: str
    caption: str = ""


def section(document: str, heading: str) -> str:
    """What stands under a heading, up to the next one that is as high."""
    level = heading.partition(" ")[0]
    start = document.index(f"\n{heading}\n") + len(heading) + 2
    following = re.search(rf"^#{{1,{len(level)}}} ", document[start:], re.MULTILINE)
    return document[start : start + following.start()] if following else document[start:]


def blocks(text: str) -> Iterator[Block]:
    """The blocks of code, in order."""
    end, caption = 0, ""
    for match in BLOCK.finditer(text):
        before = text[end : match.start()].strip().splitlines()
        if before:
            named = CAPTION.match(before[-1])
            caption = named["path"] if named else ""
        yield Block(match["language"], match["text"], caption)
        end = match.end()


def rows(text: str, first_column: str) -> list[list[str]]:
    """The cells of the table that starts with this column, without its head."""
    lines = iter(text.splitlines())
    next(line for line in lines if line.startswith(f"| {first_column} |"))
    next(lines)
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table
