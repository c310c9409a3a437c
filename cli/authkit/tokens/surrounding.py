"""The one token in a text that has more: a URL, a curl command, code, a line of cookies, JSON."""

import re
import unicodedata
from typing import Final

from authkit.tokens.parts import read_part

CANDIDATE: Final = re.compile(
    r"(?<![\w.-])[A-Za-z0-9_-]{4,}+={0,2}+\.[A-Za-z0-9_-]{2,}+={0,2}+\.[A-Za-z0-9_-]*+(?![\w.-])",
    re.ASCII,
)
"""Three parts between dots, of a longer text. It steps back nowhere: hostile text costs no more."""

LABEL: Final = re.compile(
    r"([\w-]{1,40})[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer\s{1,3})?$", re.IGNORECASE
)
"""What the text calls the token, before it."""

LABEL_REACH: Final = 60


def visible(text: str) -> str:
    """Without characters of no width: they come along from chats, mails and word processors."""
    return "".join(char for char in text if unicodedata.category(char) != "Cf")


def tokens_in(text: str) -> dict[str, str]:
    """Each token in the text, and what it is called there, as far as that can be seen."""
    found = {}
    for match in CANDIDATE.finditer(text):
        if match[0] not in found and read_part("header", 1, match[0].split(".")[0], []):
            label = LABEL.search(text[max(0, match.start() - LABEL_REACH) : match.start()])
            found[match[0]] = label[1] if label else ""
    return found
