"""Real servers: uvicorn in processes of its own, as many workers as asked, on a free port."""

import asyncio
import os
import re
import secrets
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx

from app.config import all_fields
from tests import served
from tests.helpers import GIVE_UP_SECONDS, ROOT, tokens_in

APPLICATION = "app.main:app"

START_OPTIONS = (
    "--no-proxy-headers",
    "--no-server-header",
    "--log-config",
    str(ROOT / "uvicorn_log.json"),
    "--timeout-graceful-shutdown",
    "6",
    "--timeout-worker-healthcheck",
    "30",
    "--timeout-keep-alive",
    "75",
    "--http",
    "app.foundation.http.protocol:HttpProtocol",
)
"""As in the start command of docs/deploy.md."""

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""These servers speak plain HTTP; for each client httpx would read the certificates of all the
authorities, 20 ms."""

Serve = Callable[..., AbstractAsyncContextManager["Server"]]


class Server:
    """A running server: its address, its process, and what it has written so far."""

    def __init__(
        self,
        process: BaseProcess,
        port: int,
        log_file: Path,
        uds: Path | None = None,
    ) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log_file = log_file
        self._uds = uds

    @property
    def log(self) -> str:
        """Standard output and error of all workers."""
        return self._log_file.read_text(encoding="utf-8", errors="replace")

    def client(self, **options: object) -> httpx.AsyncClient:
        """A client with connections enough that parallel requests are parallel."""
        limits = httpx.Limits(max_connections=100)
        transport = httpx.AsyncHTTPTransport(
            verify=_NO_CERTIFICATES,
            trust_env=False,
            limits=limits,
            uds=str(self._uds) if self._uds else None,
        )
        return httpx.AsyncClient(
            base_url=self.url,
            transport=transport,
            timeout=httpx.Timeout(GIVE_UP_SECONDS),
            trust_env=False,
            **options,  # type: ignore[arg-type]
        )

    async def wait_until_healthy(self) -> None:
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        async with self.client() as client:
            while self.process.exitcode is None and time.monotonic() < give_up_at:
                try:
                    if (await client.get("/health")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log}")

    def send(self, number: signal.Signals) -> None:
        """A signal, as an operator sends it."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def terminate(self) -> int:
        """Stop it with SIGTERM; returns the exit code, or the negative number of a signal."""
        self.process.terminate()
        self.process.join(GIVE_UP_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise AssertionError(f"the server did not stop:\n{self.log}")
        return self.process.exitcode


def environment(values: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: ours without its settings, and the given ones."""
    kept = {name: text for name, text in os.environ.items() if name.lower() not in all_fields()}
    return {**kept, "PYTHONPATH": str(ROOT)} | {name.upper(): text for name, text in values.items()}


def free_port() -> int:
    """One that no outgoing connection takes before its server does: all systems hand out higher
    ones to clients. Another 10,000 up, where a node of a Redis cluster talks to the others, too."""
    while True:
        port = 10_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def server_process(
    directory: Path,
    values: Mapping[str, str],
    *,
    workers: int = 1,
    uds: Path | None = None,
    options: Sequence[str] = (),
    port: int = 0,
) -> Iterator[Server]:
    """Start the application with uvicorn and the documented options; it need not be up yet.

    Args:
        uds: the Unix socket to listen on, instead of a port.
        port: a free one unless it is given.
        options: further ones.
    """
    port = port or free_port()
    log_file = directory / f"server-{port}.log"
    where = ["--uds", str(uds)] if uds else ["--host", "127.0.0.1", "--port", str(port)]
    app = ["--factory", "tests.patience:patient_app"]
    arguments = [*app, *where, *START_OPTIONS, "--workers", str(workers), *options]
    # No .env in this directory.
    process = served.start(arguments, directory, environment(values), log_file)
    server = Server(process, port, log_file, uds)
    try:
        yield server
    finally:
        server.terminate()


@asynccontextmanager
async def serving(
    directory: Path,
    values: Mapping[str, str],
    *,
    workers: int = 1,
    uds: Path | None = None,
    options: Sequence[str] = (),
) -> AsyncIterator[Server]:
    """Start a server, wait for `/health`, and stop it at the end."""
    with server_process(directory, values, workers=workers, uds=uds, options=options) as server:
        await server.wait_until_healthy()
        try:
            yield server
        finally:  # in a thread: what the server says goodbye to may run on this loop
            await asyncio.to_thread(server.terminate)


async def mailed_token(client: httpx.AsyncClient, server: Server, email: str) -> str:
    """Ask for a reset link and read it from what the server prints."""
    await client.post("/api/auth/forgot-password", json={"email": email})
    mail = re.compile(rf"^To: {email}\n.*?^-{{72}}$", re.MULTILINE | re.DOTALL)
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while (found := mail.search(server.log)) is None:
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.01)
    return tokens_in(found[0])[0]
