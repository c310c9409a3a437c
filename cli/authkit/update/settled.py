"""Lines that an owner had to edit before, and that need no edit any more: the template's again."""

import re
from collections.abc import Collection

from authkit.update.moves import Settled

WORD = re.compile(r"[^\W\d]\w*")


def settle(settled: Settled, base: str, owner: str, files: Collection[str]) -> str:
    """The owner's text with the base's lines, where nothing of theirs is lost by it.

    Each word that they added to these lines must have the file that makes the edit unneeded, and
    stand nowhere else in theirs.
    """
    text, added = owner, set[str]()
    for line in settled.lines:
        pattern = re.compile(line, re.MULTILINE)
        mine, template = pattern.findall(text), pattern.search(base)
        match = pattern.search(text)
        if template is None or match is None or len(mine) != 1:
            return owner
        added |= {*WORD.findall(match[0])} - {*WORD.findall(template[0])}
        text = text[: match.start()] + template[0] + text[match.end() :]
    served = all(settled.where.format(word) in files for word in added)
    return text if served and not added & {*WORD.findall(text)} else owner
