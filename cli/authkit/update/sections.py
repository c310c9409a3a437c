"""A heading's section of a Markdown file: taken out of one page, put at the end of another."""

import re
from typing import Final

HEADING: Final = re.compile(r"^(#{1,6})[ \t]+(.*?)[ \t#]*$")
FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})")


def cut(text: str, title: str) -> tuple[str, str] | None:
    """The page without the section, and the section; None where there is no such heading."""
    lines = text.splitlines(keepends=True)
    found = headings(lines)
    for number, (level, heading) in found.items():
        if heading == title:
            after = [line for line, (other, _) in found.items() if line > number and other <= level]
            end = after[0] if after else len(lines)
            rest = "".join(lines[:number] + lines[end:])
            return rest.rstrip("\n") + "\n", "".join(lines[number:end]).rstrip("\n") + "\n"
    return None


def append(page: str | None, section: str, title: str) -> str:
    """The page with the section under its new title."""
    first, _, rest = section.partition("\n")
    marks = first.partition(" ")[0]
    return (f"{page}\n" if page else "") + f"{marks} {title}\n{rest}"


def headings(lines: list[str]) -> dict[int, tuple[int, str]]:
    """By line: level and text; a `#` inside a block of code is none."""
    found, fence = {}, ""
    for number, line in enumerate(lines):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip(" `~\r\n"):
                fence = ""
        elif mark:
            fence = mark[1]
        elif heading := HEADING.match(line.rstrip("\r\n")):
            found[number] = (len(heading[1]), heading[2])
    return found
