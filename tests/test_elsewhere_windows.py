"""Windows, as far as it can be proven without one.

The CLI runs in a real process from which what it could use and Windows lacks was taken:
`os.execve`, signals and their masks; with an environment that has `Scripts` instead of `bin`. What
is left unproven, the README says; `.github/workflows/ci.yml` asks a real one.
"""

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import FakeProject, Result, environ
from tests.projects import copy_of
from tests.test_architecture import CLI

LIKE_WINDOWS = """
import os, signal
import authkit.project.system as system
system.WINDOWS = True
for name in ("execve", "execv", "execvpe", "setpriority"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGQUIT", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)
from authkit.cli import main
main()
"""


def windows(*args: str, cwd: Path, stdin: str = "", **env: str) -> Result:
    process = subprocess.run(
        [sys.executable, "-c", LIKE_WINDOWS, *args],
        cwd=cwd,
        env=environ(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Result(process.returncode, process.stdout, process.stderr)


def with_scripts(project: Path) -> Path:
    """The environment as Windows has it: the interpreter in `Scripts`, and nothing in `bin`."""
    venv = project / ".venv"
    (venv / "Scripts").mkdir()
    launcher = venv / "Scripts" / "python.exe"
    launcher.write_text(f'#!/bin/sh\nexec "{venv}/lib/python" "$@"\n')
    launcher.chmod(0o755)
    (venv / "bin" / "python").rename(venv / "lib" / "python")
    return project


@pytest.fixture
def project(fake: FakeProject) -> FakeProject:
    with_scripts(fake.root)
    return fake


@pytest.mark.parametrize("command", ["doctor", "info", "migrate", "seed"])
def test_commands_find_their_python_in_scripts(project: FakeProject, command: str) -> None:
    line = "<base> -> 0001 (head) (current), accounts\n"
    project.answer("alembic history", out=line)
    project.answer("manage seed", [])

    result = windows(command, cwd=project.root)

    assert result.code == 0, result.err


def test_serve_and_test_wait_for_what_they_start_and_pass_its_exit_code_on(
    project: FakeProject,
) -> None:
    project.answer("pytest", code=7)
    project.answer("uvicorn", code=3)

    assert windows("test", cwd=project.root).code == 7
    assert windows("serve", "--port", "0", cwd=project.root).code == 3


def test_hints_can_be_typed_there(project: FakeProject) -> None:
    project.answer("alembic", err="broken", code=1)

    failed = windows("migrate", cwd=project.root)
    (project.root / ".venv/Scripts/python.exe").unlink()
    missing = windows("migrate", cwd=project.root)

    assert r".venv\Scripts\python -m alembic history" in failed.err
    assert r"python -m venv --clear .venv && .venv\Scripts\python -m pip install" in missing.err


def test_a_mode_that_windows_makes_up_is_no_finding(project: FakeProject) -> None:
    (project.root / ".env").chmod(0o666)

    assert windows("doctor", cwd=project.root).out == ""


def test_a_project_is_made_updated_and_its_tokens_read(tmp_path: Path) -> None:
    made = windows("new", "myapi", "--no-install", "-y", "--json", cwd=tmp_path)
    project = tmp_path / "myapi"

    assert made.code == 0, made.err
    assert any("Scripts" in command for command in made.json["next"])
    assert windows("update", "--json", cwd=project).json["changes"] == []
    assert windows("token", "decode", "-", cwd=project, stdin="no token").code == 2


def test_ctrl_c_is_left_to_the_server(pristine: Path, tmp_path: Path) -> None:
    """It reaches both; the one that waits must not be gone before the other has drained."""
    project = with_scripts(copy_of(pristine, tmp_path / "myapi", installs=True))
    command = [sys.executable, "-c", LIKE_WINDOWS, "serve", "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=project,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as server:
        assert server.stdout is not None
        said = ""
        while "running on" not in said and (line := server.stdout.readline()):
            said += line
        os.killpg(server.pid, signal.SIGINT)
        said += server.stdout.read()
        code = server.wait(timeout=60)

    assert code in {0, 128 + signal.SIGINT, -signal.SIGINT}
    assert "Application shutdown complete" in said
    assert "Traceback" not in said


def test_no_file_is_written_with_the_line_ends_of_the_system() -> None:
    """On Windows, text mode turns each LF into CRLF: the rendered bytes would be others."""
    found = []
    for module, path in CLI.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            text = [a.value for a in node.args if isinstance(a, ast.Constant)]
            opens = name in {"open", "fdopen"} and not {"w", "x", "a"}.isdisjoint(text)
            writes = name == "write_text" or opens
            if writes and not any(keyword.arg == "newline" for keyword in node.keywords):
                found.append(f"{module}:{node.lineno}")

    assert found == [], "say newline="


def test_what_only_posix_has_is_said_in_one_place() -> None:
    only = re.compile(
        r"os\.exec|os\.fork|os\.get\w*[ug]id|os\.chown|signal\.SIG(?!INT\b|TERM\b)\w*|\bos\.name\b"
        r"|pthread_sigmask|^\s*(?:import|from) (?:fcntl|pwd|grp|resource|termios|tty|pty)\b",
        re.MULTILINE,
    )
    allowed = {"authkit.project.system", "authkit.terminal.signals"}

    found = {name for name, path in CLI.items() if only.search(path.read_text(encoding="utf-8"))}

    assert found <= allowed


def test_a_clone_on_windows_has_the_bytes_of_the_commit() -> None:
    """Else the job of `ci.yml`, and whoever installs from a clone, made projects with CRLF."""
    root = CLI["authkit.cli"].parents[2]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True)
    command = ["git", "check-attr", "--stdin", "-z", "text"]
    said = subprocess.run(command, cwd=root, input=listed.stdout, check=True, capture_output=True)

    assert set(said.stdout.decode().split("\0")[2::3]) == {"unset"}
