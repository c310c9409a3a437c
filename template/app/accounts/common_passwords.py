"""Passwords that leaked most often (ASVS 5.0 6.2.4), from the lists of zxcvbn."""

import runpy
import string
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

SHORTEST_WORD: Final = 4
"""How many letters must remain without digits and signs. Fewer match by chance."""

_DECORATION: Final = string.digits + string.punctuation + " "

_LOOKALIKES: Final = (
    str.maketrans("@4301!$57", "aaeoiisst"),
    str.maketrans("@4301!$57", "aaeolisst"),
)


def is_common(password: str) -> bool:
    """Tell whether a password is one of them, in any case, or a decorated one: `P@ssw0rd1!`."""
    return any(f"\n{form}\n" in common_passwords() for form in plain_forms(password))


def plain_forms(password: str) -> set[str]:
    """A password in lower case, and the words that it may have been made of."""
    lower = password.lower()
    ends = {lower.strip(string.punctuation), lower.strip(_DECORATION), lower.rstrip(_DECORATION)}
    words = ends | {word.translate(table) for word in ends for table in _LOOKALIKES}
    letters = {"".join(filter(str.isalpha, word)) for word in words}
    return {lower} | {form for form in words | letters if len(form) >= SHORTEST_WORD}


@cache
def common_passwords() -> str:
    """Some 30,000, in lower case, one on each line: this takes a tenth of a set's memory. Reading
    them takes 20 ms, so the application does it before it serves.
    """
    return "\n".join(["", *_leaked(), ""])


def _leaked() -> list[str]:
    """Run the one file that has them: importing the package keeps 8 MB of tables for good."""
    package = find_spec("zxcvbn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'zxcvbn'", name="zxcvbn")
    lists = runpy.run_path(str(Path(package.origin).with_name("frequency_lists.py")))
    return list(lists["FREQUENCY_LISTS"]["passwords"])
