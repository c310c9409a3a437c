"""A cluster, sentinels, and a Redis behind TLS: all of it stopped, or frozen."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import httpx
import pytest
import trustme

from tests.helpers import GIVE_UP_SECONDS
from tests.live import Serve, free_port
from tests.patience import soon
from tests.programs import redis_process, running, short_directory
from tests.services import REDIS_SERVER, needs_redis_server
from tests.test_outages import (
    login_statuses,
    wait_until_counted_in_redis,
    wait_until_ready,
)
from tests.test_redis import (
    OF_A_CLUSTER,
    WATCHING,
    join_cluster,
    until_sentinel_knows_the_replica,
)

pytestmark = needs_redis_server

Start = Callable[[], AbstractContextManager[subprocess.Popen[bytes]]]


@dataclass
class Servers:
    """Those that count. They can be stopped or frozen together, and come back where they were."""

    url: str
    starts: list[Start]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _running: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.processes = [self._running.enter_context(start()) for start in self.starts]

    def stop(self) -> None:
        self._running.close()

    def freeze(self) -> None:
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        for process in self.processes:
            process.send_signal(number)


@contextmanager
def a_cluster(here: Path) -> Iterator[Servers]:
    ports = [free_port() for _ in range(3)]
    url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)
    servers = Servers(
        url, [partial(redis_process, here, *OF_A_CLUSTER, port=port) for port in ports]
    )
    with servers:
        join_cluster(ports)
        yield servers


@contextmanager
def sentinels(here: Path) -> Iterator[Servers]:
    sentinel, main, replica = free_port(), free_port(), free_port()
    (here / "sentinel.conf").write_text(WATCHING.format(port=sentinel, main=main))
    follows = ("--replicaof", "127.0.0.1", str(main), "--repl-diskless-sync-delay", "0")
    starts: list[Start] = [
        partial(redis_process, here, port=main),
        partial(redis_process, here, *follows, port=replica),
    ]
    servers = Servers(f"redis+sentinel://127.0.0.1:{sentinel}/limits", starts)
    watch = [REDIS_SERVER, str(here / "sentinel.conf"), "--sentinel"]
    with servers, running(watch, here, sentinel):
        until_sentinel_knows_the_replica(sentinel)
        yield servers


@contextmanager
def behind_tls(here: Path) -> Iterator[Servers]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(here / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(here / "server.pem"))
    tls, file = free_port(), str(here / "server.pem")
    options = ["--tls-port", str(tls), "--tls-cert-file", file, "--tls-key-file", file]
    options += ["--tls-ca-cert-file", file, "--tls-auth-clients", "no"]
    url = f"rediss://127.0.0.1:{tls}/0?ssl_ca_certs={here}/ca.pem"
    with Servers(url, [partial(redis_process, here, *options, port=free_port())]) as servers:
        yield servers


@pytest.mark.parametrize("way", ["stop", "freeze"])
@pytest.mark.parametrize("kind", [a_cluster, sentinels, behind_tls])
async def test_limits_survive_all_of_them(
    serve: Serve, kind: Callable[[Path], AbstractContextManager[Servers]], way: str
) -> None:
    with short_directory() as here, kind(here) as servers:
        limits = {"redis_url": servers.url, "rate_limit_auth": "3/hour"}
        async with (
            serve(**soon("redis"), **limits) as api,
            api.client() as client,
        ):
            await wait_until_ready(client)
            assert await login_statuses(client, 2) == [401, 401]  # counted there
            getattr(servers, way)()

            # In memory, from where it was: losing it gives nobody new tries.
            assert await login_statuses(client, 3) == [401, 429, 429]
            await wait_until_not_ready(client)

            back = servers.start if way == "stop" else servers.thaw
            back()
            await wait_until_ready(client)
            await wait_until_counted_in_redis(api, client)


async def wait_until_not_ready(client: httpx.AsyncClient) -> None:
    """What readiness was a moment ago counts for a second."""
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while (ready := await client.get("/health/ready")).status_code == 200:
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.05)
    assert ready.json()["error"]["details"] == [{"field": "limits", "message": "down"}]
