"""A client in a directory of its own, with no other file in it: a generator empties it first."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from authkit import __version__
from authkit.clients.generators import Generator
from authkit.terminal.errors import AuthkitError, UsageError

NOTE: Final = "authkit-client.json"
"""Lies in a client: by what it was made, and that the directory may be made anew."""


def require_replaceable(directory: Path) -> None:
    """Refuse a directory with files that are not an earlier client's."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is no directory", "name one that is new or empty")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / NOTE).is_file():
        raise UsageError(
            f"{directory} has files that are no client of authkit's",
            "name a directory that is new, empty, or holds an earlier client",
        )


def make(document: dict[str, Any], generator: Generator, directory: Path) -> None:
    """Generate beside, then put in place: what fails leaves the earlier client as it was."""
    require_replaceable(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".client-", dir=directory.parent) as scratch:
        place = Path(scratch)
        (place / "openapi.json").write_text(json.dumps(document), encoding="utf-8", newline="\n")
        run(generator, place)
        made = place / "client"
        note = {"generator": generator.name, "version": generator.version, "authkit": __version__}
        text = json.dumps(note, indent=2) + "\n"
        (made / NOTE).write_text(text, encoding="utf-8", newline="\n")
        if directory.is_dir():
            directory.rename(place / "before")
        shutil.move(made, directory)


def run(generator: Generator, place: Path) -> None:
    try:
        result = subprocess.run(
            generator.command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise AuthkitError(f"{generator.command[0]} is not installed", generator.hint) from None
    if result.returncode != 0 or not (place / "client").is_dir():
        said = [line for line in (result.stderr + result.stdout).splitlines() if line.strip()]
        reason = said[-1].strip() if said else "it gave no reason"
        raise AuthkitError(f"{generator.name} {generator.version} failed: {reason}", generator.hint)
