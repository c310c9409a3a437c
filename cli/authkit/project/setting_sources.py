"""Which settings come from the environment although `.env` is there, and says otherwise.

A shell that is set up for another project is how one ends up in that project's database.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from authkit.project.project import Project

SETTING: Final = re.compile(r"^#?\s?([A-Z][A-Z0-9_]*)=", re.MULTILINE)


def documented(example: Path) -> frozenset[str]:
    """The names of all settings, as `.env.example` has them."""
    if not example.is_file():
        return frozenset()
    return frozenset(SETTING.findall(example.read_text(encoding="utf-8", errors="replace")))


def from_environment(project: Project) -> tuple[str, ...]:
    """The settings that the environment gives and `.env` does not, or otherwise.

    None without an `.env`: then they have to come from there. None when it can't be read, which
    whoever needs it says.
    """
    from dotenv import dotenv_values

    try:
        with (project.root / ".env").open(encoding="utf-8") as file:
            written = {name.upper(): value for name, value in dotenv_values(stream=file).items()}
    except (OSError, UnicodeDecodeError):
        return ()
    given = {name.upper(): value for name, value in os.environ.items()}
    names = sorted(documented(project.root / ".env.example") & given.keys())
    return tuple(name for name in names if given[name] != written.get(name))


def told(names: Iterable[str]) -> str:
    """That they come from there, in a sentence; nothing when there are none."""
    listed = ", ".join(names)
    return f"from the environment, not from .env: {listed}" if listed else ""
