"""A generated project that is served, and a shell that is typed into: what a reader has."""

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.conftest import environ


@dataclass
class Api:
    """A generated project that is being served, and what it has printed."""

    port: int
    output: Path

    def addressed(self, command: str) -> str:
        """A documented command, for the port that this one listens on."""
        return command.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")

    def reset_token(self) -> str:
        """The token of the newest reset mail, as a person reads it on the server's terminal."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            tokens: list[str] = re.findall(r"#token=([\w-]+)", self.output.read_text())
            if tokens:
                return tokens[-1]
            time.sleep(0.05)
        raise AssertionError(f"no mail was printed:\n{self.output.read_text()}")


@contextmanager
def serving(project: Path, output: Path, env: Mapping[str, str] | None = None) -> Iterator[Api]:
    """Serve a project as `authkit serve` does; what it prints goes into the file `output`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "authkit", "serve", "--port", str(port)]
    with output.open("w") as file:
        server = subprocess.Popen(
            command, cwd=project, env=environ(env), stdout=file, stderr=subprocess.STDOUT
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/health", server)
            yield Api(port, output)
        finally:
            server.terminate()
            server.wait(20)


def wait_until_healthy(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - an address of this machine
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


class Shell:
    """A shell that is typed into, as the reader of a walk-through does."""

    END = "--- end of the answer ---"

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["bash", "-eu"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ()
        )

    def type(self, text: str) -> str:
        """Type a block; returns what was printed."""
        stdin, stdout = self._pipes()
        stdin.write(f"{text}\necho; echo '{self.END}'\n")
        stdin.flush()
        answer = ""
        for line in stdout:
            if line.strip() == self.END:
                return answer.strip()
            answer += line
        raise AssertionError(f"the shell gave up at:\n{text}")

    def close(self) -> None:
        for pipe in self._pipes():
            pipe.close()
        self.process.wait(10)

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout
