"""The servers of `in_the_wild.py`: each a child process that can be restarted.

Their configurations are those of the generated project's own tests.
"""

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "template"))

live, pooler, programs, services = (
    import_module(f"tests.{name}") for name in ("live", "pooler", "programs", "services")
)

AWAY_SECONDS: Final = 1.0
"""For which a part that is restarted is away."""
START_SECONDS: Final = 60.0


@dataclass
class Part:
    """A program that listens on a port; it can be restarted."""

    command: list[str]
    port: int
    directory: Path
    environ: dict[str, str] = field(default_factory=dict)
    log: Path = Path(os.devnull)
    end: signal.Signals = signal.SIGTERM

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - nothing waits for it
                self.command,
                cwd=self.directory,
                env=os.environ | self.environ,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        await until(lambda: answers(self.port), f"{self.command[0]} does not start: {self.log}")

    async def stop(self) -> None:
        self.process.send_signal(self.end)
        await asyncio.to_thread(self.process.wait, START_SECONDS)

    async def restart(self) -> None:
        await self.stop()
        await asyncio.sleep(AWAY_SECONDS)
        await self.start()

    async def reload(self) -> None:
        """Replaces the children: of nginx, or uvicorn's workers. Returns when the old are gone."""
        before = children(self.process.pid)
        self.process.send_signal(signal.SIGHUP)
        await until(
            lambda: not before & children(self.process.pid), f"{self.command} keeps its children"
        )


async def until(condition: Callable[[], bool], otherwise: str) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while not await asyncio.to_thread(condition):
        if time.monotonic() > give_up_at:
            raise SystemExit(otherwise)
        await asyncio.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return bool(probe.connect_ex(("127.0.0.1", port)) == 0)


def children(pid: int) -> set[str]:
    """But for the helper that Python's multiprocessing has, which stays."""
    found = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid=,args="], capture_output=True, text=True, check=False
    )
    lines = [line for line in found.stdout.splitlines() if "resource_tracker" not in line]
    return {line.split()[0] for line in lines}


def redis(here: Path) -> Part:
    port = live.free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    return Part(command, port, here, log=here / "redis.log")


def pgbouncer(here: Path, database_url: str) -> Part:
    """As PgBouncer's own user or `nobody`: it refuses to run as root."""
    server, port, file = urlsplit(database_url), live.free_port(), here / "pgbouncer.ini"
    target = f"host={server.hostname} port={server.port or 5432} user={server.username}"
    target += f" password={unquote(server.password)}" if server.password else ""
    file.write_text(pooler.CONFIGURATION.format(server=target, port=port))
    as_user = ["-u", "nobody"] if os.getuid() == 0 else []
    command, log = [pooler.PGBOUNCER, *as_user, str(file)], here / "pgbouncer.log"
    # At SIGTERM newer ones wait until all clients have left.
    return Part(command, port, here, log=log, end=signal.SIGQUIT)


def nginx(here: Path, api: int) -> Part:
    port, file = live.free_port(), here / "nginx.conf"
    text = programs.NGINX.format(here=here, api=f"127.0.0.1:{api}", port=port, prefix="")
    file.write_text(text.replace("master_process off", "master_process on"))
    command = [services.program("nginx"), "-e", "stderr", "-p", str(here), "-c", str(file)]
    return Part(command, port, here, log=here / "nginx.log")


def workers(project: Path, here: Path, environ: dict[str, str]) -> Part:
    """By the command of the project's docs/deploy.md, with two workers and a port."""
    page = (project / "docs/deploy.md").read_text(encoding="utf-8")
    found = re.search(r"-m uvicorn app\.main:app .*?--workers ", page, re.DOTALL)
    if found is None:
        raise SystemExit("docs/deploy.md has no command to start it")
    port = live.free_port()
    options = [*shlex.split(found[0].replace("\\\n", "")), "2", "--port", str(port)]
    return Part([python_of(project), *options], port, project, environ, here / "api.log")


def python_of(project: Path) -> str:
    own = project / ".venv/bin/python"
    return str(own) if own.exists() else sys.executable
