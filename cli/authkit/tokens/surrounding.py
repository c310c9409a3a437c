"""The one token in a text that has more: a URL, a curl command, code, a line of cookies, JSON."""

import re
import unicodedata
from typing import Final

from authkit.tokens.parts import read_part

CANDIDATE: Final = re.compile(
    r"(?<![\w.-])[A-Za-z0-9_-]{4,}+={0,2}+\.[A-Za-z0-9_-]{2,}+={0,2}+\.[A-Za-z0-9_-]*+(?!\.?[\w-])",
    re.ASCII,
)
"""Three parts between dots, of a longer text. It steps back nowhere: hostile text costs no more."""

LABEL: Final = re.compile(
    r"([\w-]{1,40})[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer\s{1,3})?$", re.IGNORECASE
)
"""What the text calls the token, before it."""

LABEL_REACH: Final = 60

COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
QUOTED: Final = re.compile(r"^[ \t]*>[> \t]*", re.MULTILINE)
ESCAPED: Final = re.compile(r"(?:%|\\u00|\\x)([0-9a-fA-F]{2})")
"""As URLs, JSON and Python write what can't stand there as it is."""

ENDED: Final = re.compile(r"[^\w\s+/=-]{0,3}(?:\s|$)|[&;,<)\]}|#]")
"""What follows a token that is whole: the end of a word, or what is no damage of its last part."""

WRAPPED: Final = re.compile(r"\s*\n\s*[\w+/=.-]+\s*(?:\n|$)")
"""A line that may be the rest of its last part."""


def visible(text: str) -> str:
    """Without what comes along: characters of no width, a terminal's colours, a mail's marks."""
    text = QUOTED.sub("", COLOUR.sub("", text))
    return "".join(char for char in text if unicodedata.category(char) != "Cf")


def unescaped(text: str) -> str:
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def is_whole(token: str, text: str) -> bool:
    """Whether the text that has the token says by what follows that it ends there."""
    rest = text.partition(token)[2]
    return bool(ENDED.match(rest)) and not WRAPPED.match(rest)


def tokens_in(text: str) -> dict[str, str]:
    """Each token in the text, and what it is called there, as far as that can be seen."""
    found = {}
    for match in CANDIDATE.finditer(text):
        if match[0] not in found and read_part("header", 1, match[0].split(".")[0], []):
            label = LABEL.search(text[max(0, match.start() - LABEL_REACH) : match.start()])
            found[match[0]] = label[1] if label else ""
    return found
