"""The project's own environment: `.venv`, made by uv from the hashed requirements."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from authkit.project.package_index import PackageIndex, package_index, without_password
from authkit.terminal.errors import AuthkitError

REQUIREMENTS: Final = "requirements-dev.txt"

URL: Final = re.compile(r"\b(?:https?|file)://[^\s`'\"()<>]+")

NO_INDEX: Final = "pip or uv is told to ask no index: take no-index (PIP_NO_INDEX) away"

HINTS: Final = (
    ("No space left", "make room on the disk, then run the same command again"),
    ("UnknownIssuer|certificate", "name the certificate of your network: SSL_CERT_FILE=…"),
    ("Permission denied|Read-only", "make uv's cache writable, or name another: UV_CACHE_DIR=…"),
    ("Hash mismatch", "what came is not what was locked: a broken mirror, or uv cache clean"),
    ("index lookups were disabled|provided package locations", NO_INDEX),
    ("network was disabled|[Oo]ffline", "go online once: not every package is in uv's cache"),
    ("401|403|[Uu]nauthorized|[Ff]orbidden|credentials", "the index wants you to sign in to it"),
)
"""What can be done about what uv says, by its words."""


def create(root: Path, name: str) -> None:
    """Make `.venv` under `root`, relocatable: `new` builds beside the target and renames."""
    run_uv(
        ["venv", "--no-project", "--relocatable", "--prompt", name, "--python", sys.executable],
        root,
        str(root / ".venv"),
        failure="the environment can't be made",
    )


def install(root: Path) -> None:
    """Install exactly what authkit was tested with, hashes checked; never remove anything."""
    run_uv(
        ["pip", "install", "--python", str(root / ".venv"), "--require-hashes", "-r"],
        root,
        str(root / REQUIREMENTS),
        failure="the project's dependencies can't be installed",
    )


def run_uv(options: list[str], root: Path, path: str, *, failure: str) -> None:
    """Run uv quietly, with nobody's configuration but ours; when it fails, its reason is ours."""
    index = package_index(root)
    with tempfile.TemporaryDirectory(prefix="authkit-uv-") as scratch:
        config = Path(scratch) / "uv.toml"
        config.write_text(index.as_toml(), encoding="utf-8", newline="\n")
        result = subprocess.run(
            [find_uv(), "--quiet", "--no-progress", "--config-file", str(config), *options, path],
            cwd=root,
            env=index.environ,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if result.returncode != 0:
        said = result.stderr
        raise AuthkitError(f"{failure}: {reason_of(said)}", hint_for(said, index))


def find_uv() -> str:
    """The uv that was installed with authkit, else the one on PATH."""
    from uv import find_uv_bin

    try:
        return find_uv_bin()
    except FileNotFoundError:
        if on_path := shutil.which("uv"):
            return on_path
        raise AuthkitError(
            "uv, which makes the environment, is missing from this installation of authkit",
            "reinstall it: python -m pip install --force-reinstall authkit-fastapi",
        ) from None


def reason_of(stderr: str) -> str:
    """What uv says is the matter, on one line: the error and its last cause."""
    lines = [line.strip(" ×╰─▶│├") for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("warning:", "hint:"))]
    if not lines:
        return "uv gave no reason"
    first = lines[0].removeprefix("error: ")
    last = lines[-1].removeprefix("Caused by: ")
    return without_password(first if last in first else f"{first} ({last})")


def hint_for(stderr: str, index: PackageIndex) -> str:
    """What the user can do about it, naming what was asked."""
    if index.exclude_newer and re.search("No solution found|no version|exclude-newer", stderr):
        return f"{index.exclude_newer} hides what the lock names; take it away for this command"
    asked = [without_password(url) for url in URL.findall(stderr)] or index.urls
    where = f"; asked was {asked[0].rstrip('.,;:')}" if asked else ""
    for words, hint in HINTS:
        if re.search(words, stderr):
            return hint + where
    if re.search("fetch|request|connect|dns|timed out|tunnel|HTTP status", stderr, re.IGNORECASE):
        return f"check the network, or name a mirror: UV_DEFAULT_INDEX=…{where}"
    return f"uv says more, in the project: uv pip install -r {REQUIREMENTS}{where}"
