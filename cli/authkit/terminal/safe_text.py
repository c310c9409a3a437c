"""Text of unknown origin, unable to steer a terminal or to break out of its line.

A user agent, a name or a token's claim is chosen by a stranger; printed raw, its escape sequences
would be executed by the operator's terminal (CWE-150).
"""

import unicodedata


def safe(value: object) -> str:
    """The text, with control, format and line-separator characters shown as escapes."""
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else char
        for char in text
    )


def excerpt(value: object, length: int) -> str:
    """The start of a text of unknown origin, safe to print."""
    text = str(value)
    return safe(text if len(text) <= length else text[: length - 1] + "…")
