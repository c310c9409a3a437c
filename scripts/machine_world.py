"""Where `scripts/other_machines.py` asks: projects to copy, a neighbour, one process at a time."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.first_hour import AS_EARLIER, EARLIER
from scripts.machine_settings import COMMANDS, MAKING, Setting

AUTHKIT: Final = (sys.executable, "-m", "authkit")
SECONDS: Final = 300
"""So much is a command that hangs."""

AFTER_THE_START: Final = ("PYTHONHOME", "PYTHONINSPECT", "PYTHONSTARTUP")
"""What stops any Python, so authkit's own gets to see it once it runs; what it starts must live."""

LATE: Final = (
    "import json, os, sys; os.environ.update(json.loads(sys.argv.pop(1)));"
    "from authkit.cli import main; main()"
)
PLAIN: Final = Setting("plain", "")


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str
    made: Any = None
    """What lies there afterwards, when the command makes or changes files."""


@dataclass(frozen=True)
class World:
    """Where it all lies, and which answers are the right ones."""

    root: Path
    right: Mapping[str, Answer]

    @property
    def there(self) -> Path:
        return self.root / "neighbour"


def own_environment() -> dict[str, str]:
    """The caller's, without what this script tries out."""
    tried = ("GIT_", "PYTHON", "PYTEST_", "XDG_CONFIG", "FORCE_COLOR", "NO_COLOR", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(tried)}


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Answer:
    """A process with all that it starts; one that does not end in time is ended."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return Answer(-1, "", "it did not end")
    return Answer(process.returncode, out, err)


def asked(setting: Setting, command: str, root: Path, home: Path | None) -> Answer:
    """What authkit answers in this setting, in the project that all share or in a copy."""
    words = COMMANDS[command]
    own = command in MAKING or command == "update" or setting.place
    directory = Path(tempfile.mkdtemp(dir=root / "copies")) if own else root
    try:
        base = directory / setting.place
        base.mkdir(parents=True, exist_ok=True)
        project = base / ("api" if command in MAKING else "myapi")
        if own and command not in MAKING:
            copy(root / ("earlier" if command == "update" else "myapi"), project)
        if setting.change is not None:
            setting.change(project)
        env = own_environment() | setting.env
        start: tuple[str, ...] = AUTHKIT
        if home is not None:
            env["HOME"] = str(home)
        if late := {name: env.pop(name) for name in AFTER_THE_START if name in env}:
            start = (sys.executable, "-c", LATE, json.dumps(late))
        answer = run([*start, *words], base if command in MAKING else project, env)
        out = answer.out.replace(str(project), "…").replace(str(base), "…")
        made = lying_in(project) if own and answer.code == 0 else None
        return Answer(answer.code, "" if command in MAKING else out, answer.err, made)
    finally:
        if own:
            remove(directory)


def copy(project: Path, target: Path) -> None:
    """With packages as hard links: nothing writes into an installed file."""
    if (project / ".venv").is_dir():
        shutil.copytree(project / ".venv", target / ".venv", symlinks=True, copy_function=os.link)
    rest = shutil.ignore_patterns(".venv")
    shutil.copytree(project, target, symlinks=True, dirs_exist_ok=True, ignore=rest)


def remove(directory: Path) -> None:
    for closed in directory.rglob("closed"):
        closed.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)


def lying_in(project: Path) -> list[str]:
    """What is staged, byte for byte, and which packages are installed."""
    clean = own_environment() | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    staged = run(["git", "ls-files", "--stage", "-z"], project, clean).out.split("\0")
    packages = project.glob(".venv/lib/python*/site-packages/*.dist-info")
    return sorted([*staged, *(package.name for package in packages)])


def make_neighbour(there: Path) -> None:
    """Somebody else's project: everything in it would be noticed, or be broken by us."""
    (there / ".venv").mkdir(parents=True)
    (there / ".venv" / "theirs").touch()
    (there / "migrations").mkdir()
    texts = {
        "migrations/env.py": "open('TOUCHED', 'w')\n",
        "alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n",
        "uv.toml": f'[pip]\ntarget = "{there}/packages"\n',
        "startup.py": "raise SystemExit(7)\n",
        "everything": "*\n",
        "attributes": "* text eol=crlf\n",
        "constraints.txt": "fastapi==0.1\n",
        "coveragerc": "nonsense\n",
        "copier.yml": "defaults:\n  project_name: theirs\n",
        ".env": "DATABASE_URL=sqlite:///./theirs.db\n",
    }
    for name, text in texts.items():
        (there / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=there, check=True)


def checksums(directory: Path) -> dict[str, str]:
    found = sorted(path for path in directory.rglob("*") if path.is_file())
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
    }


def make_world(root: Path) -> World:
    """A project, one of an earlier release, a neighbour, and the answers where nothing is set."""
    env = own_environment()
    (root / "copies").mkdir(exist_ok=True)
    if not (root / "neighbour.json").exists():
        for path in (root / "myapi", root / "earlier", root / "neighbour"):
            shutil.rmtree(path, ignore_errors=True)
        for command in (
            (*AUTHKIT, "new", "myapi", "-y"),
            (sys.executable, "-c", AS_EARLIER, EARLIER, "new", "earlier", "--no-install", "-y"),
        ):
            if (made := run(command, root, env)).code:
                raise SystemExit(made.err)
        make_neighbour(root / "neighbour")
        (root / "neighbour.json").write_text(json.dumps(checksums(root / "neighbour")))
    return World(root, {name: asked(PLAIN, name, root, None) for name in COMMANDS})
