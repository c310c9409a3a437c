"""A project for clients to use: made once, served anew for each of them."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

AUTHKIT = str(Path(sys.executable).with_name("authkit"))

ATTEMPTS = 600
"""Twenty a second: how often a server that starts is asked whether it answers."""


@dataclass(frozen=True)
class Served:
    """A project that answers at `url` while a client uses it."""

    root: Path
    url: str

    @property
    def document(self) -> Path:
        return self.root / "openapi.json"

    @contextmanager
    def anew(self) -> Iterator[None]:
        """A server with an empty database, and with nothing counted."""
        database = self.root / "clients.db"
        environ = os.environ | {"DATABASE_URL": f"sqlite:///{database}"}
        database.unlink(missing_ok=True)
        command = [AUTHKIT, "migrate", "--project", str(self.root)]
        subprocess.run(command, env=environ, check=True, capture_output=True)
        port = self.url.rpartition(":")[2]
        options = ["--project", str(self.root), "--port", port, "--no-reload"]
        process = subprocess.Popen(
            [AUTHKIT, "serve", *options],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(f"{self.url}/health")
            yield
        finally:
            process.terminate()
            process.wait()


def project_in(root: Path) -> Served:
    """A project of the template as it is here, with all that `authkit new` makes."""
    command = [AUTHKIT, "new", str(root), "-y", "--no-git"]
    subprocess.run(command, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Served(root, f"http://127.0.0.1:{port}")


def wait_for(url: str) -> None:
    for _ in range(ATTEMPTS):
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  # our own
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"{url} does not answer")
