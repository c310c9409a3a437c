"""Two hosts behind HAProxy that are restarted one after the other, under reads and refreshes."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.helpers import GIVE_UP_SECONDS, Account, register, try_refresh, with_tokens
from tests.live import Server, environment, free_port, server_process
from tests.programs import running

CLIENTS: Final = 4
READS: Final = 2

HAPROXY: Final = """
global
  stats socket ipv4@127.0.0.1:{admin} level admin
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
  timeout check 60s
frontend here
  bind 127.0.0.1:{port}
  default_backend hosts
backend hosts
  balance roundrobin
  option httpchk GET /health
  option redispatch 1
  retries 5
  server one 127.0.0.1:{one} check inter 500ms fall 3 rise 1
  server two 127.0.0.1:{two} check inter 500ms fall 3 rise 1
"""


class Hosts:
    """Both run the same project: what is written into its `.env` counts from a restart on."""

    def __init__(self, directory: Path, values: Mapping[str, str]) -> None:
        self.directory = directory
        kept = {name: text for name, text in values.items() if name != "jwt_secret"}
        (directory / ".env").write_text(f"JWT_SECRET={values['jwt_secret']}\n")
        self._values = {**kept, "trusted_proxies": "127.0.0.1"}
        self._ports = [free_port(), free_port()]
        self._stacks = [ExitStack(), ExitStack()]
        self.port = free_port()
        self._admin = free_port()

    async def keys(self, *arguments: str) -> None:
        """`python -m app.manage keys …` in the project."""
        await asyncio.to_thread(self._keys, *arguments)

    def _keys(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "app.manage", "keys", *arguments]
        done = subprocess.run(  # noqa: S603
            command, cwd=self.directory, env=environment(self._values), check=True, text=True,
            capture_output=True,
        )  # fmt: skip
        assert done.stdout

    async def restart(self, host: int) -> None:
        """As a deployment does it: out of the proxy's rotation, stopped, started, and in again."""
        await self._tell(host, "maint")
        await asyncio.to_thread(self.stop, host)
        await self.start(host)
        await self._tell(host, "ready")

    async def start(self, host: int) -> None:
        process = server_process(self.directory, self._values, port=self._ports[host])
        server: Server = self._stacks[host].enter_context(process)
        await server.wait_until_healthy()

    async def _tell(self, host: int, state: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._admin)
        writer.write(f"set server hosts/{('one', 'two')[host]} state {state}\n".encode())
        assert (await reader.read()).strip() == b""
        writer.close()

    def stop(self, host: int) -> None:
        self._stacks[host].close()

    @contextmanager
    def proxy(self) -> Iterator[None]:
        one, two = self._ports
        file = self.directory / "haproxy.cfg"
        file.write_text(HAPROXY.format(port=self.port, admin=self._admin, one=one, two=two))
        with running(["haproxy", "-db", "-f", str(file)], self.directory, self.port):
            yield


@asynccontextmanager
async def two_hosts(directory: Path, values: Mapping[str, str]) -> AsyncIterator[Hosts]:
    hosts = Hosts(directory, values)
    try:
        await asyncio.gather(hosts.start(0), hosts.start(1))
        with hosts.proxy():
            yield hosts
    finally:
        for host in (0, 1):
            await asyncio.to_thread(hosts.stop, host)


class Load:
    """Clients that read and refresh as fast as they are answered. `statuses` counts both."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.statuses: Counter[tuple[str, int]] = Counter()
        self._rounds = [0] * CLIENTS
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self, number: int, account: Account) -> None:
        while True:
            for _ in range(READS):
                await self.read(account)
            answer = await try_refresh(self._client, account.refresh_token)
            self.statuses["refresh", answer.status_code] += 1
            if answer.status_code == 200:
                account = with_tokens(account, answer)
            self._rounds[number] += 1

    async def read(self, account: Account) -> None:
        answer = await self._client.get("/api/users/me", headers=account.headers)
        self.statuses["read", answer.status_code] += 1

    async def rounds(self, count: int = 4) -> None:
        """Until each client has gone round so many times more."""
        wanted = [rounds + count for rounds in self._rounds]
        while any(now < then for now, then in zip(self._rounds, wanted, strict=True)):
            self.check()
            await asyncio.sleep(0.01)

    def check(self) -> None:
        """All are still at work."""
        for task in self.tasks:
            if task.done():
                task.result()


@asynccontextmanager
async def load(hosts: Hosts) -> AsyncIterator[Load]:
    limits = httpx.Limits(max_connections=2 * CLIENTS)
    base_url = f"http://127.0.0.1:{hosts.port}"
    async with httpx.AsyncClient(
        base_url=base_url, limits=limits, trust_env=False, timeout=GIVE_UP_SECONDS
    ) as client:
        accounts = [await register(client, f"user{n}@example.com") for n in range(CLIENTS)]
        working = Load(client)
        working.tasks = [
            asyncio.create_task(working.run(number, account))
            for number, account in enumerate(accounts)
        ]
        try:
            yield working
            working.check()
        finally:
            for task in working.tasks:
                task.cancel()
            await asyncio.gather(*working.tasks, return_exceptions=True)


async def roll(hosts: Hosts, under: Load) -> None:
    """Restart one host after the other; in between, each answers half of the requests."""
    for host in (0, 1):
        await hosts.restart(host)
        await under.rounds()
