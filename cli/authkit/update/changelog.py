"""What changed between two versions, for whoever decides about an update."""

import re
from typing import Final

from packaging.version import Version

CHANGELOG: Final = "CHANGELOG.md"
HEADING: Final = re.compile(r"^## \[?v?(\d+\.\d+\.\d+)\]?.*$", re.MULTILINE)


def between(changelog: str, old: str, new: str) -> str:
    """The sections after `old`, up to and with `new`, as they are written."""
    headings = list(HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    return "\n\n".join(
        changelog[heading.start() : end].strip()
        for heading, end in zip(headings, ends, strict=True)
        if Version(old) < Version(heading[1]) <= Version(new)
    )
