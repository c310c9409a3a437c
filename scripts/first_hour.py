"""A newcomer's first hour, on any system: new, migrate, serve, token, test and update.

`python scripts/first_hour.py` asks the authkit that this Python has, in a directory that it deletes
again. Standard library only, no shell: it is what CI runs on Windows. It prints each step, and
exits 1 with what was said when one does not do what it should.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

EARLIER = "0.5.1"
AS_EARLIER = (
    "import sys; from functools import partial; from authkit import cli;"
    "from authkit.new import build;"
    "build.render = partial(build.render, version=sys.argv.pop(1)); cli.main()"
)
AUTHKIT = (sys.executable, "-m", "authkit")
PATIENCE = 120


def main() -> int:
    scratch = Path(tempfile.mkdtemp(prefix="authkit first hour "))
    try:
        walk(scratch)
    except (AssertionError, subprocess.CalledProcessError) as failure:
        print(f"FAILED: {failure}\n{getattr(failure, 'stderr', '') or ''}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("all of it went well")
    return 0


def walk(scratch: Path) -> None:
    """In the order in which a newcomer meets it."""
    made = json.loads(authkit("new", "my api", "-y", "--json", cwd=scratch))
    project = scratch / "my api"
    check("the project is made and committed", made["commit"])
    check(
        "its files end their lines as they were rendered", b"\r" not in read(project / "README.md")
    )
    check("git sees no change", not run("git", "status", "--porcelain", cwd=project))
    check("nothing is wrong", not authkit("doctor", cwd=project))
    back = json.loads(authkit("migrate", "--to", "base", "--json", cwd=project))
    check("the schema goes back", back["reverted"])
    there = json.loads(authkit("migrate", "--json", cwd=project))
    check("and comes again", there["applied"])
    authkit("seed", "--json", cwd=project)
    token = authkit("token", "issue", "user@example.com", cwd=project).strip()
    decoded = json.loads(authkit("token", "decode", "-", "--json", cwd=project, stdin=token))
    check("a token is verified", decoded["verdict"] == "VERIFIED")
    check("the API answers", served(project))
    authkit("test", "--", "-q", "-n0", "tests/accounts/test_emails.py", cwd=project)
    check("tests run", True)
    updated(scratch / "earlier")


def updated(scratch: Path) -> None:
    """A project of an earlier release becomes one of today."""
    scratch.mkdir()
    options = ("--no-install", "-y")
    run(sys.executable, "-c", AS_EARLIER, EARLIER, "new", "myapi", *options, cwd=scratch)
    project = scratch / "myapi"
    report = json.loads(authkit("update", "--json", cwd=project))
    check(f"{EARLIER} is updated without a conflict", not report["conflicts"])
    undo = report["undo"].split()
    run(*undo, cwd=project)
    check("and back", not run("git", "status", "--porcelain", cwd=project))


def served(project: Path) -> bool:
    """Whether `authkit serve` answers, and ends when it is told to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*AUTHKIT, "serve", "--port", str(port)]
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    with subprocess.Popen(command, cwd=project, creationflags=flags) as server:
        try:
            return answers(f"http://127.0.0.1:{port}/health")
        finally:
            end(server)


def answers(url: str) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
                return bool(json.load(answer)["status"] == "ok")
        except OSError:
            time.sleep(0.2)
    return False


def end(server: subprocess.Popen[bytes]) -> None:
    """With its children: on Windows the server is one, and outlives a parent that is killed."""
    if os.name == "nt":
        run("taskkill", "/T", "/F", "/PID", str(server.pid))
    else:
        server.terminate()


def authkit(*args: str, cwd: Path, stdin: str = "") -> str:
    return run(*AUTHKIT, *args, cwd=cwd, stdin=stdin)


def run(*command: str, cwd: Path | None = None, stdin: str = "") -> str:
    """What it prints; when it fails, that is the end."""
    who = {
        f"GIT_{role}_{what}": "owner@localhost"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    process = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | who | {"PYTHONUTF8": "1"},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=1200,
        check=True,
    )
    return process.stdout


def check(what: str, holds: object) -> None:
    if not holds:
        raise AssertionError(what)
    print(f"ok: {what}", flush=True)


def read(path: Path) -> bytes:
    return path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
