"""What the tests share: the CLI as a real process, in a pipe and in a terminal, and projects."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pytest
from tests.projects import copy_of, made_once
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from authkit import __version__
from authkit.project.environment import find_uv

REPOSITORY = Path(__file__).parents[1]
AUTHKIT = [sys.executable, "-m", "authkit"]
ESCAPE = "\x1b"
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])")
# What the machine that runs the tests may have set, and what a test must decide for itself.
FOREIGN = (
    *("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "DATABASE_URL", "REDIS_URL", "JWT_SECRET"),
    "PYTHONDONTWRITEBYTECODE",  # every start in a project's environment would compile it anew
)

# Files in the order in which they are run: those that take longest come after all others, and the
# longest of them first, so that no process is left alone with one at the end.
SLOW = (
    *("test_render", "test_update", "test_generate", "test_parts", "test_recipe", "test_new"),
    *("test_elsewhere_databases", "test_elsewhere_installed", "test_openapi", "test_kept_rows"),
    *("test_cli_real", "test_documents"),
)


def pytest_configure() -> None:
    """Let what the tests start be stopped by Ctrl-C, also where they run in the background.

    There the shell has SIGINT ignored, and a program inherits that. A handler it does not inherit;
    this one does nothing, so the tests themselves go on as the shell wanted.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda signum, frame: None)


WAITING = 1
"""Processes beyond the number of cores: those that run a suite wait for it, and it waits too."""


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """A single file needs no processes beside this one."""
    processes = yield
    if len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file():
        return 0
    told = "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ
    return processes if told else processes + WAITING


class ByFileAndProject(LoadScopeScheduling):  # type: ignore[misc]
    """A file stays in one process; but of a project with a suite, the tests are a group."""

    PROJECT = re.compile(
        r"\b((?:sqlite|postgres)-(?:memory|redis)|leanest|richest|default)\]$"
        r"|::test_a_project_without_it_\w+(\[.+\])$"
    )

    def _split_scope(self, nodeid: str) -> str:
        project = self.PROJECT.search(nodeid)
        return nodeid.partition("::")[0] + (project[1] or project[2] if project else "")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return ByFileAndProject(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick files first."""
    items.sort(key=lambda item: place(item.path.stem))


def place(name: str) -> int:
    return SLOW.index(name) + 1 if name in SLOW else 0


# What a person's home says of servers: where packages come from, the databases' passwords.
LINKED = (".config/pip", ".config/uv", ".pgpass")


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for this run alone: each authkit writes its template into the home of its user.

    Two runs at once, of two checkouts or of two workers, would otherwise overwrite each other's.
    The caches of packages stay the user's own, or each run would download everything anew.
    """
    real, own = Path.home(), tmp_path_factory.mktemp("home")
    (own / ".gitconfig").write_text("[user]\n\tname = owner\n\temail = owner@localhost\n")
    (own / ".config").mkdir()
    for name in filter(lambda name: (real / name).exists(), LINKED):
        (own / name).symlink_to(real / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME", str(real / ".cache")))
        patch.setenv("HOME", str(own))
        yield own


@dataclass(frozen=True)
class Result:
    """How a process ended and what it said."""

    code: int
    out: str
    err: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A known environment for a process under test."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in FOREIGN and not name.startswith("PYTEST_")
    }
    return clean | {"COLUMNS": "100", "LINES": "40", "TERM": "xterm-256color"} | dict(extra or {})


def authkit(
    *args: str,
    cwd: Path | None = None,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> Result:
    """Run the CLI as a script would: in a pipe."""
    process = subprocess.run(
        [*AUTHKIT, *args],
        cwd=cwd,
        env=environ(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(process.returncode, process.stdout, process.stderr)


def terminal(
    *args: str,
    cwd: Path | None = None,
    dialogue: Sequence[tuple[str, str]] = (),
    env: Mapping[str, str] | None = None,
    columns: int = 100,
) -> Result:
    """Run the CLI as a person would: in a pseudo-terminal, answering its questions.

    `out` is everything that was on the screen, escape sequences included.
    """
    child: pexpect.spawn[str] = pexpect.spawn(
        AUTHKIT[0],
        [*AUTHKIT[1:], *args],
        cwd=str(cwd) if cwd else None,
        env=environ({"COLUMNS": str(columns)} | dict(env or {})),
        encoding="utf-8",
        dimensions=(40, columns),
        timeout=300,
    )
    screen = ""
    for question, answer in dialogue:
        child.expect_exact(question)
        screen += f"{child.before}{question}"
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    code = child.exitstatus if child.exitstatus is not None else 128 + (child.signalstatus or 0)
    return Result(code, screen + (child.before or ""))


def plain(text: str) -> str:
    """What a person reads on a screen."""
    return ANSI.sub("", text).replace("\r\n", "\n")


# Stands in for `app.manage`, Alembic, uvicorn and pytest where only the CLI's side is the subject:
# answers what `answers.json` has for its arguments and notes how it was called.
SCRIPTED = """
import json, os, pathlib, sys
name, args = {name!r}, sys.argv[1:]
stdin = sys.stdin.read() if "--password-stdin" in args else ""
interesting = ("TEST_", "VIRTUAL_ENV")
env = {{k: v for k, v in os.environ.items() if k.startswith(interesting)}}
with open("calls.jsonl", "a") as calls:
    calls.write(json.dumps({{"name": name, "args": args, "stdin": stdin, "env": env}}) + "\\n")
key = " ".join([name, *(arg for arg in args if arg != "--json")])
answers = json.loads(pathlib.Path("answers.json").read_text())
matching = [answers[known] for known in sorted(answers, key=len) if key.startswith(known)]
answer = matching[-1] if matching else {{}}
sys.stdout.write(answer.get("out", ""))
sys.stderr.write(answer.get("err", ""))
sys.exit(answer.get("code", 0))
"""


@dataclass(frozen=True)
class FakeProject:
    """A project whose own commands are scripted."""

    root: Path
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, command: str, data: Any = None, **how: Any) -> None:
        """Let `command` ("manage seed", "alembic history") answer `data` as JSON, or `how`."""
        if data is not None:
            how["out"] = json.dumps(data)
        self.answers[command] = how
        (self.root / "answers.json").write_text(json.dumps(self.answers))

    @property
    def calls(self) -> list[dict[str, Any]]:
        log = self.root / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def run(self, *args: str, **how: Any) -> Result:
        return authkit(*args, cwd=self.root, **how)

    def terminal(self, *args: str, **how: Any) -> Result:
        return terminal(*args, cwd=self.root, **how)


@pytest.fixture
def fake(tmp_path: Path) -> FakeProject:
    """A project with a working environment and no application."""
    root = tmp_path / "myapi"
    binaries = root / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    (root / ".venv" / "lib" / f"python{minor}" / "site-packages").mkdir(parents=True)
    config = f"home = {Path(sys.base_prefix) / 'bin'}\nversion_info = {minor}.0\n"
    (root / ".venv" / "pyvenv.cfg").write_text(config)
    (root / ".copier-answers.yml").write_text(f"_commit: v{__version__}\nproject_name: myapi\n")
    (root / ".env").write_text("JWT_SECRET=not-a-secret\nDATABASE_URL=sqlite:///./app.db\n")
    (root / ".env").chmod(0o600)
    (root / "requirements-dev.txt").write_text("# nothing\n")
    for name in ("alembic", "uvicorn", "pytest"):
        (root / f"{name}.py").write_text(SCRIPTED.format(name=name))
    (root / "app").mkdir()
    (root / "app" / "config.py").write_text("def load_settings(): pass")
    (root / "uvicorn_log.json").write_text("{}")
    protocol = root / "app" / "foundation" / "http" / "protocol.py"
    protocol.parent.mkdir(parents=True)
    protocol.touch()
    (root / "app" / "manage.py").write_text(SCRIPTED.format(name="manage"))
    project = FakeProject(root)
    project.answer("manage info", {"database": "sqlite", "limits": "memory", "settings": {}})
    project.answer("manage check", [])
    project.answer("manage backup", {"backup": "/srv/app.db.backup-20261127T204600Z", "deleted": 0})
    return project


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real project, made once for all processes, and only ever copied: SQLite, limits in
    memory, installed, migrated, seeded."""

    def make(directory: Path) -> None:
        made = authkit("new", str(directory / "myapi"), "--defaults")
        assert made.code == 0, made.err

    return made_once(tmp_path_factory, "pristine", make) / "myapi"


@pytest.fixture(scope="session")
def myapi(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That project, to be run; whoever changes it takes a copy."""
    return copy_of(pristine, tmp_path_factory.mktemp("generated") / "myapi")


@pytest.fixture(scope="session")
def checked(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That project after its type checker, only ever copied. What the checker remembers of the
    packages is most of its work, and true of every project that has them."""

    def make(directory: Path) -> None:
        project = copy_of(pristine, directory / "myapi")
        mypy = [str(project / ".venv/bin/python"), "-m", "mypy"]
        done = subprocess.run(
            mypy, cwd=project, env=environ(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return made_once(tmp_path_factory, "checked", make) / "myapi"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the source distribution, as a package index would."""

    def make(directory: Path) -> None:
        build = [find_uv(), "build", "--quiet", "--out-dir", str(directory), str(REPOSITORY)]
        subprocess.run(build, check=True)

    return next(made_once(tmp_path_factory, "wheel", make).glob("*.whl"))
