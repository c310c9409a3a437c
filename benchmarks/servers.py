"""Starting the servers that are measured, and stopping them."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

START_SECONDS: Final = 60
STOP_SECONDS: Final = 40

AUTHKIT: Final = (sys.executable, "-m", "authkit")


@dataclass
class Server:
    """A process that answers on a free port of this machine; a context manager."""

    command: list[str]
    """`{port}` stands for the port."""
    directory: Path
    environment: Mapping[str, str]
    log: Path
    ready: str | None = "/health"
    """The path that answers 200 as soon as it can work; None: not HTTP, nothing is waited for."""
    port: int = 0
    """0 takes a free one."""
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def pid(self) -> int:
        """Of the process that was started; 0 when none was."""
        return self.process.pid if self.process else 0

    def __enter__(self) -> Self:
        self.port = self.port or free_port()
        with self.log.open("wb") as log:
            process = self.process = subprocess.Popen(
                [part.format(port=self.port) for part in self.command],
                cwd=self.directory,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if not self._is_ready(process):
            self.__exit__()
            log_end = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(self.command)} does not answer:\n{log_end}")
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _is_ready(self, process: "subprocess.Popen[bytes]") -> bool:
        ends_at = time.monotonic() + START_SECONDS
        while time.monotonic() < ends_at and process.poll() is None:
            if self.ready is None or answers(self.url(self.ready)):
                return True
            time.sleep(0.02)
        return False


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def api(project: Path, log: Path, environment: Mapping[str, str], workers: int = 1) -> Server:
    """The generated project, as its owner serves it."""
    serve = ["serve", "--project", str(project), "--port", "{port}", "--workers", str(workers)]
    return Server([*AUTHKIT, *serve], project, environment, log)


def limit(project: Path, log: Path, name: str, environment: Mapping[str, str]) -> Server:
    """One of `limits/`, with the same libraries and the same server as the project."""
    command = [str(project / ".venv/bin/python"), "-m", "uvicorn", f"benchmarks.limits.{name}:app"]
    command += ["--port", "{port}", "--log-level", "warning", "--no-access-log"]
    root = Path(__file__).parents[1]
    return Server(command, root, environment, log, ready="/read")
