"""What the name of a user may hold, wherever it comes from."""

import re
from typing import Final

MAX_NAME: Final = 100

_NAME: Final = re.compile(r"[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""No line breaks, no terminal escapes, no overrides of the writing direction, no halves of
characters. The joiners of Persian and of emoji, and the spaces of every script, belong to names."""


def is_harmless(name: str) -> bool:
    return _NAME.fullmatch(name) is not None
