"""Some two hundred settings of other people's machines, each asked for the answer of none.

`python scripts/other_machines.py` makes a project and a neighbour, and then asks authkit in each
setting: it must end and answer as without it, write no traceback, and leave the neighbour's files
alone. What was said last stands in docs/other-machines.txt (`--write`). Outside CI: it takes
minutes, and CI has a test for each kind. `--jobs 8` asks as many at once, `--only TEXT` some.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
OUTPUT = REPOSITORY / "docs" / "other-machines.txt"
AUTHKIT = (sys.executable, "-m", "authkit")

COMMANDS = {
    "info": ("info", "--json"),
    "migrate": ("migrate", "--check", "--json"),
    "doctor": ("doctor", "--json"),
    "check": ("update", "--check", "--json"),
}
VARIABLES = {
    "ALEMBIC_CONFIG": "{there}/alembic.ini",
    "UVICORN_APP_DIR": "{there}",
    "UVICORN_FACTORY": "1",
    "UVICORN_ENV_FILE": "{there}/.env",
    "UVICORN_PORT": "nonsense",
    "PYTHONSAFEPATH": "1",
    "PYTHONHOME": "{there}",
    "PYTHONSTARTUP": "{there}/startup.py",
    "PYTHONINSPECT": "1",
    "PYTHONPATH": "{there}",
    "VIRTUAL_ENV": "{there}/.venv",
    "CONDA_PREFIX": "{there}",
    "COVERAGE_RCFILE": "{there}/coveragerc",
    "GIT_DIR": "{there}/.git",
    "GIT_WORK_TREE": "{there}",
    "GIT_INDEX_FILE": "{there}/index",
    "GIT_OBJECT_DIRECTORY": "{there}/objects",
    "GIT_CEILING_DIRECTORIES": "/",
    "GIT_CONFIG_PARAMETERS": "'core.worktree'='{there}'",
    "UV_WORKING_DIR": "{there}",
    "UV_PROJECT": "{there}",
    "UV_PROJECT_ENVIRONMENT": "{there}/.venv",
    "UV_CONFIG_FILE": "{there}/uv.toml",
    "UV_VENV_CLEAR": "1",
    "PIP_TARGET": "{there}/packages",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PYTEST_ADDOPTS": "--rootdir={there}",
    "HOME": "/proc/nothing",
    "XDG_CONFIG_HOME": "{there}",
    "TMPDIR": "/tmp",  # noqa: S108 - what most machines have
}
TERMINALS = {
    "LANG": "C",
    "LC_ALL": "POSIX",
    "LANGUAGE": "de",
    "TERM": "dumb",
    "COLUMNS": "20",
    "NO_COLOR": "1",
    "FORCE_COLOR": "3",
    "CLICOLOR_FORCE": "1",
    "PYTHON_COLORS": "1",
    "PY_COLORS": "1",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONUTF8": "0",
    "PYTHONWARNINGS": "always",
    "PYTHONOPTIMIZE": "1",
    "PYTHONUNBUFFERED": "1",
    "TZ": "Asia/Kathmandu",
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "PAGER": "false",
    "EDITOR": "false",
}
GIT = (
    *("core.autocrlf=true", "core.autocrlf=input", "core.safecrlf=true", "core.eol=crlf"),
    *(
        "core.quotePath=false",
        "core.fsmonitor=true",
        "core.fileMode=false",
        "core.hooksPath=/nowhere",
    ),
    *("core.excludesFile={there}/everything", "core.attributesFile={there}/attributes"),
    *(
        "status.showUntrackedFiles=no",
        "status.short=true",
        "color.ui=always",
        "commit.gpgSign=true",
    ),
    *("commit.verbose=true", "init.defaultBranch=trunk", "merge.conflictStyle=zdiff3"),
    *("diff.renames=false", "advice.detachedHead=false", "log.showSignature=true"),
    *("init.templateDir=/nowhere", "core.abbrev=4", "i18n.commitEncoding=latin1"),
)
PLACES = (
    *(
        "with space",
        "feature%2Flogin",
        "100%",
        "ümläut",
        "日本",
        "it's",
        "a'b\"c",
        "$HOME",
        "#1",
        "-dash",
    ),
    *("a;b", "a&b", "new\nline", "tab\there", "~", "long-" * 30, "{x}", "[x]", "*", "a=b"),
)


@dataclass(frozen=True)
class Setting:
    """A machine, and what is asked on it."""

    name: str
    command: Sequence[str]
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    like: str = ""
    """Which answer is the right one."""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


def ask(command: Sequence[str], cwd: Path, env: dict[str, str]) -> Answer:
    process = subprocess.run(
        [*AUTHKIT, *command],
        cwd=cwd,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=600,
        check=False,
    )
    return Answer(process.returncode, process.stdout, process.stderr)


def settings(project: Path, there: Path, scratch: Path) -> Iterator[Setting]:
    for name, value in VARIABLES.items():
        for command, words in COMMANDS.items():
            env = {name: value.format(there=there)}
            yield Setting(f"{name} · {command}", words, project, env, command)
    for name, value in TERMINALS.items():
        for command in ("info", "check"):
            yield Setting(
                f"{name}={value} · {command}", COMMANDS[command], project, {name: value}, command
            )
    for number, line in enumerate(GIT):
        home = scratch / f"home-{number}"
        home.mkdir()
        section, _, rest = line.format(there=there).partition(".")
        (home / ".gitconfig").write_text(f"[{section}]\n\t{rest.replace('=', ' = ', 1)}\n")
        env = {"HOME": str(home)}
        yield Setting(f"git {line} · doctor", COMMANDS["doctor"], project, env, "doctor")
    for number, place in enumerate(PLACES):
        parent = scratch / f"place-{number}" / place
        copy = parent / "myapi"
        shutil.copytree(project / ".venv", copy / ".venv", symlinks=True, copy_function=os.link)
        shutil.copytree(
            project, copy, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".venv")
        )
        yield Setting(f"in {place!r} · migrate", COMMANDS["migrate"], copy, {}, "migrate")


def make_neighbour(there: Path) -> None:
    """Somebody else's project: everything in it would be noticed, or be broken by us."""
    (there / ".venv").mkdir(parents=True)
    (there / "migrations").mkdir()
    (there / "migrations" / "env.py").write_text("open('TOUCHED', 'w')\n")
    (there / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (there / "uv.toml").write_text(f'[pip]\ntarget = "{there}/packages"\n')
    (there / "startup.py").write_text("raise SystemExit(7)\n")
    (there / "everything").write_text("*\n")
    (there / "attributes").write_text("* text eol=crlf\n")
    (there / ".env").write_text("DATABASE_URL=sqlite:///./theirs.db\n")
    subprocess.run(["git", "init", "--quiet"], cwd=there, check=True)


def files(directory: Path) -> dict[str, bytes]:
    found = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def verdict(setting: Setting, plain: dict[str, Answer]) -> str:
    """Nothing when it is as it should be, else what is not."""
    given, right = ask(setting.command, setting.cwd, setting.env), plain[setting.like]
    if "Traceback" in given.err:
        return "a traceback: " + given.err.strip().splitlines()[-1]
    if given.code != right.code:
        return f"exit {given.code} instead of {right.code}: {given.err.strip()[:200]}"
    if "\x1b" in given.out:
        return "escape sequences in JSON"
    same = given.out.replace(str(setting.cwd), "") == right.out.replace(str(setting.cwd), "")
    return "" if same or setting.like == "migrate" else f"another answer: {given.out[:200]}"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="other-machines-"))
    project, there, began = scratch / "myapi", scratch / "neighbour", time.monotonic()
    try:
        made = ask(("new", str(project), "-y", "--json"), scratch, {})
        if made.code:
            raise SystemExit(made.err)
        make_neighbour(there)
        before = files(there)
        plain = {name: ask(words, project, {}) for name, words in COMMANDS.items()}
        asked = [s for s in settings(project, there, scratch) if options.only in s.name]
        with ThreadPoolExecutor(options.jobs) as pool:
            verdicts = list(pool.map(lambda each: verdict(each, plain), asked))
        touched = sorted(name for name, _ in before.items() ^ files(there).items())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    lines = [
        f"{'ok' if not v else 'NOT'}  {s.name}{'  ' + v if v else ''}"
        for s, v in zip(asked, verdicts, strict=True)
    ]
    failed = sum(map(bool, verdicts))
    lines.append(
        f"{len(asked)} settings, {failed} not as they should be; "
        f"the neighbour's files: {touched or 'untouched'}"
    )
    text = "\n".join(line.replace("\n", "\\n") for line in lines) + "\n"
    print(text, end="")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    if options.write:
        OUTPUT.write_text(text.replace(str(scratch), "…"), encoding="utf-8", newline="\n")
    return 1 if failed or touched else 0


if __name__ == "__main__":
    sys.exit(main())
