"""What other people's machines are set up like; `scripts/other_machines.py` asks authkit on each.

`{there}` is a neighbour's directory: whatever is sent there must not arrive.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

COMMANDS: Final = {
    "info": ("info", "--json"),
    "migrate": ("migrate", "--check", "--json"),
    "doctor": ("doctor", "--json"),
    "check": ("update", "--check", "--json"),
    "facts": ("info",),
    "help": ("new", "--help"),
    "update": ("update", "--json"),
    "files": ("new", "api", "-y", "--json", "--no-install"),
    "new": ("new", "api", "-y", "--json"),
}
MAKING: Final = ("files", "new")

VARIABLES: Final = {
    "ALEMBIC_CONFIG": "{there}/alembic.ini",
    "UVICORN_APP_DIR": "{there}",
    "UVICORN_ENV_FILE": "{there}/.env",
    "UVICORN_PORT": "nonsense",
    "PYTHONSAFEPATH": "1",
    "PYTHONHOME": "{there}",
    "PYTHONSTARTUP": "{there}/startup.py",
    "PYTHONINSPECT": "1",
    "PYTHONPATH": "{there}",
    "PYTHONUSERBASE": "{there}",
    "PYTHONDEVMODE": "1",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONWARNINGS": "error",
    "VIRTUAL_ENV": "{there}/.venv",
    "CONDA_PREFIX": "{there}",
    "COVERAGE_RCFILE": "{there}/coveragerc",
    "GIT_DIR": "{there}/.git",
    "GIT_WORK_TREE": "{there}",
    "GIT_INDEX_FILE": "{there}/index",
    "GIT_OBJECT_DIRECTORY": "{there}/objects",
    "GIT_CEILING_DIRECTORIES": "/",
    "GIT_CONFIG_PARAMETERS": "'core.worktree'='{there}'",
    "GIT_TRACE": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "UV_WORKING_DIR": "{there}",
    "UV_PROJECT": "{there}",
    "UV_CONFIG_FILE": "{there}/uv.toml",
    "PIP_TARGET": "{there}/packages",
    "COPIER_SETTINGS_PATH": "{there}/copier.yml",
    "PYTEST_ADDOPTS": "--rootdir={there}",
    "HOME": "/proc/nothing",
    "XDG_CONFIG_HOME": "{there}",
    "TMPDIR": "/proc/nothing",
}
NEW_UNDER: Final = {
    "UV_WORKING_DIR": "{there}",
    "UV_PROJECT_ENVIRONMENT": "{there}/.venv",
    "UV_CONFIG_FILE": "{there}/uv.toml",
    "UV_VENV_CLEAR": "1",
    "UV_PYTHON": "2.7",
    "UV_SYSTEM_PYTHON": "1",
    "UV_TARGET": "{there}/packages",
    "UV_CONSTRAINT": "{there}/constraints.txt",
    "UV_NO_BINARY": "1",
    "UV_COMPILE_BYTECODE": "1",
    "PIP_TARGET": "{there}/packages",
    "PIP_PREFIX": "{there}/packages",
    "PIP_USER": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_CONSTRAINT": "{there}/constraints.txt",
    "VIRTUAL_ENV": "{there}/.venv",
    "PYTHONSAFEPATH": "1",
    "PYTHONOPTIMIZE": "2",
    "DATABASE_URL": "sqlite:///{there}/theirs.db",
    "JWT_SECRET": "short",
    "COPIER_SETTINGS_PATH": "{there}/copier.yml",
}
TERMINALS: Final = (
    *("LANG=C", "LC_ALL=POSIX", "LANGUAGE=de", "TERM=dumb", "TERM=", "COLUMNS=20", "COLUMNS=wide"),
    *("NO_COLOR=1", "FORCE_COLOR=3", "CLICOLOR_FORCE=1", "PYTHON_COLORS=1", "PY_COLORS=1"),
    *("TTY_COMPATIBLE=1", "TTY_INTERACTIVE=1", "TYPER_USE_RICH=0"),
    *("PYTHONUTF8=0", "PYTHONUNBUFFERED=1", "TZ=Asia/Kathmandu", "CI=true", "GITHUB_ACTIONS=true"),
    *("PAGER=false", "EDITOR=false", "SHELL=/bin/false"),
)
GIT: Final = (
    *("core.autocrlf=true", "core.autocrlf=input", "core.safecrlf=true", "core.eol=crlf"),
    *("core.quotePath=false", "core.fsmonitor=true", "core.fileMode=false", "core.symlinks=false"),
    *("core.hooksPath=/nowhere", "core.ignoreCase=true", "core.editor=false", "core.pager=false"),
    *("core.excludesFile={there}/everything", "core.attributesFile={there}/attributes"),
    *("core.sparseCheckout=true", "core.untrackedCache=true", "core.splitIndex=true"),
    *("core.bigFileThreshold=1", "core.abbrev=4", "core.commentChar=a"),
    *("status.showUntrackedFiles=no", "status.short=true", "status.branch=true", "color.ui=always"),
    *("commit.gpgSign=true", "gpg.program=false", "commit.verbose=true", "commit.cleanup=verbatim"),
    *("commit.template=/nowhere", "init.defaultBranch=trunk", "init.templateDir=/nowhere"),
    *("merge.conflictStyle=zdiff3", "merge.renames=false", "diff.renames=false", "diff.external=x"),
    *("diff.noprefix=true", "advice.detachedHead=false", "log.showSignature=true"),
    *("i18n.commitEncoding=latin1", "user.useConfigOnly=true", "protocol.allow=never"),
    *("fetch.fsckObjects=true", "fetch.prune=true", "index.version=4", "feature.manyFiles=true"),
)
PLACES: Final = (
    *("with space", "feature%2Flogin", "100%", "ümläut", "日本", "it's", "a'b\"c", "$HOME", "#1"),
    *("-dash", "a;b", "a&b", "new\nline", "tab\there", "~", "long-" * 30, "{x}", "[x]", "*", "a=b"),
)


def rewritten(name: str, change: Callable[[str], str], encoding: str = "utf-8") -> "Change":
    """A file as other tools write it."""

    def apply(project: Path) -> None:
        file = project / name
        text = change(file.read_text(encoding="utf-8"))
        file.write_bytes(text.encode(encoding))

    return apply


def in_git(*arguments: str) -> "Change":
    return lambda project: subprocess.run(["git", *arguments], cwd=project, check=True)


def committed(change: "Change") -> "Change":
    def apply(project: Path) -> None:
        change(project)
        who = ("-c", "user.name=owner", "-c", "user.email=owner@localhost")
        in_git(*who, "commit", "--quiet", "--all", "--message", "Mine")(project)

    return apply


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def same(text: str) -> str:
    return text


LOCK: Final = "requirements-dev.txt"

COLLEAGUES: Final[dict[str, "Change"]] = {
    ".env with CRLF": rewritten(".env", crlf),
    ".env with a byte order mark": rewritten(".env", same, "utf-8-sig"),
    ".env with export": rewritten(".env", lambda text: text.replace("\nJWT", "\nexport JWT")),
    ".env for reading only": lambda project: (project / ".env").chmod(0o400),
    ".env is a link": lambda project: as_link(project / ".env"),
    ".venv is a link": lambda project: as_link(project / ".venv"),
    "the answers with CRLF": committed(rewritten(".copier-answers.yml", crlf)),
    "pyproject.toml with CRLF": rewritten("pyproject.toml", crlf),
    "the lock with CRLF": rewritten(LOCK, crlf),
    "the lock with a byte order mark": rewritten(LOCK, same, "utf-8-sig"),
    "the lock in UTF-16": rewritten(LOCK, same, "utf-16"),
    "the lock with its hashes on one line": rewritten(LOCK, lambda text: text.replace("\\\n", "")),
    "a file whose name is no UTF-8": lambda project: (project / os.fsdecode(b"\xff")).touch(),
    "a file that looks like an option": lambda project: (project / "--help").touch(),
    "a link that leads nowhere": lambda project: (project / "broken").symlink_to("/nowhere/at/all"),
    "a pipe": lambda project: os.mkfifo(project / "pipe"),
    "a directory that nobody reads": lambda project: (project / "closed").mkdir(mode=0),
    "another branch": in_git("switch", "--quiet", "--create", "mine"),
    "no branch": in_git("switch", "--quiet", "--detach"),
    "a packed repository": in_git("gc", "--quiet"),
    "a shallow repository": in_git("fetch", "--quiet", "--depth=1", "."),
}


def as_link(path: Path) -> None:
    real = path.with_name(f"{path.name}-elsewhere")
    path.rename(real)
    path.symlink_to(real.name)


Change = Callable[[Path], object]


@dataclass(frozen=True)
class Setting:
    """A machine, and what is asked on it."""

    name: str
    command: str
    """Of COMMANDS; the right answer is that of a machine with nothing set."""
    env: dict[str, str] = field(default_factory=dict)
    git: str = ""
    """A line of the user's ~/.gitconfig, as `section.name=value`."""
    place: str = ""
    """The directory in which a copy of the project lies; none is the project that all share."""
    change: Change | None = None
    """What is other about a copy of the project."""


def all_settings(there: Path) -> Iterator[Setting]:
    for name, command in product(VARIABLES, ("info", "migrate", "doctor", "check", "files")):
        env = {name: VARIABLES[name].format(there=there)}
        yield Setting(f"{name} · {command}", command, env)
    for line, command in product(TERMINALS, ("info", "facts", "help")):
        name, _, value = line.partition("=")
        yield Setting(f"terminal {line} · {command}", command, {name: value})
    for line, command in product(GIT, ("doctor", "files", "update")):
        yield Setting(f"git {line} · {command}", command, git=line.format(there=there))
    for place, command in product(PLACES, ("migrate", "files", "update")):
        yield Setting(f"in {place!r} · {command}", command, place=place)
    for name, change in COLLEAGUES.items():
        yield Setting(f"colleague: {name} · doctor", "doctor", place="copy", change=change)
    for name, value in NEW_UNDER.items():
        yield Setting(f"{name} · new", "new", {name: value.format(there=there)})
