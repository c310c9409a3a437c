"""Where the texts of `token decode` come from: an argument, a file, a pipe, a variable."""

import os
import sys
from pathlib import Path

from authkit.commands.token.fetch import fetch, is_address
from authkit.terminal.errors import UsageError
from authkit.terminal.safe_text import safe
from authkit.tokens.key_formats import read_keys
from authkit.tokens.keys import Key
from authkit.tokens.text import MAX_TOKEN_BYTES, decode_text

MAX_KEY_BYTES = 1024 * 1024


def token_text(words: list[str] | None) -> str:
    """The token's text. An unquoted `Bearer eyJ…` arrives as two words."""
    source = " ".join(words or [])
    if source.startswith("@"):
        return _file_text(Path(source.removeprefix("@")))
    if source == "-" or words is None or not words:
        if source != "-" and (sys.stdin is None or sys.stdin.isatty()):
            raise UsageError(
                "no token was given", "as an argument, as @FILE, or piped: … | authkit token decode"
            )
        return decode_text(sys.stdin.buffer.read(MAX_TOKEN_BYTES + 1))
    return source


def _file_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return decode_text(file.read(MAX_TOKEN_BYTES + 1))
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "not a path"
        raise UsageError(f"{safe(path)} can't be read: {reason}") from None


def load_keys(source: str, *, online: bool) -> list[Key]:
    """The keys behind `--key @FILE`, `--key env:NAME`, and online `--key https://…`."""
    if not is_address(source):
        return read_keys(*_read_source(source))
    if not online:
        raise UsageError(
            "--key: an address is asked only with --online", "add --online, or save it as @FILE"
        )
    return read_keys(*fetch(source), from_address=True)


def _read_source(source: str) -> tuple[bytes, str]:
    if source.startswith("env:"):
        name = source.removeprefix("env:")
        value = os.environ.get(name)
        if value is None:
            raise UsageError(f"--key env:{name}: there is no such environment variable")
        return os.fsencode(value), name
    if source.startswith("@"):
        path = Path(source.removeprefix("@"))
        try:
            with path.open("rb") as file:
                text = file.read(MAX_KEY_BYTES + 1)
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or "not a path"
            raise UsageError(f"--key: the file can't be read: {reason}", f"{path}") from None
        if len(text) > MAX_KEY_BYTES:
            raise UsageError(f"--key: the file has more than {MAX_KEY_BYTES:,} bytes", f"{path}")
        return text, path.name
    # What stands there may be the key itself: it is not repeated.
    raise UsageError(
        "--key takes @FILE, env:NAME or https://…, never the key itself",
        "the command line is visible to every process; put the key in a file or a variable",
    )
