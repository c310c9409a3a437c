"""Passwords that leaked most often (ASVS 5.0 6.2.4), from the lists of zxcvbn."""

import runpy
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def is_common(password: str) -> bool:
    """Tell whether a password is one of them, in whatever case."""
    return f"\n{password.lower()}\n" in common_passwords()


@cache
def common_passwords() -> str:
    """Some 30,000, in lower case, each on a line: a tenth of the memory of a set.

    Reading them takes 20 ms, so the application does it before it serves.
    """
    return "\n".join(["", *_leaked(), ""])


def _leaked() -> list[str]:
    """Run the one file that has them: importing the package keeps 8 MB of tables for good."""
    package = find_spec("zxcvbn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'zxcvbn'", name="zxcvbn")
    lists = runpy.run_path(str(Path(package.origin).with_name("frequency_lists.py")))
    return list(lists["FREQUENCY_LISTS"]["passwords"])
