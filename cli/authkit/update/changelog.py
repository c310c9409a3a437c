"""What changed between two versions, for whoever decides about an update."""

import re
from pathlib import Path
from typing import Final

from packaging.version import Version

from authkit.template.source import TEMPLATE_SOURCE
from authkit.update.scratch import Scratch

HEADING: Final = re.compile(r"^## \[?v?(\d+\.\d+\.\d+)\]?.*$", re.MULTILINE)


def newest(scratch: Scratch) -> str:
    """The changelog of the newest release; it is beside the template, not in it."""
    bundle = str(Path(TEMPLATE_SOURCE).expanduser())
    # Not fetched into the scratch repository: the project's may use other object ids.
    scratch.git("clone", "--quiet", "--bare", bundle, "released")
    return scratch.git("--git-dir=released", "show", "HEAD:CHANGELOG.md").decode()


def between(changelog: str, old: str, new: str) -> str:
    """The sections after `old`, up to and with `new`, as they are written."""
    headings = list(HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    return "\n\n".join(
        changelog[heading.start() : end].strip()
        for heading, end in zip(headings, ends, strict=True)
        if Version(old) < Version(heading[1]) <= Version(new)
    )
