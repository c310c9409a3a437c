"""Each kind of Redis: one that answers and can't count, a cluster, sentinels, one behind TLS."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import redis
import trustme
from fastapi import FastAPI

from app.foundation.limits.redis import REMIND_SECONDS
from app.foundation.limits.redis_problems import problem_of
from app.manage.check import _check_redis
from tests.helpers import GIVE_UP_SECONDS, connect, error_code, services_of
from tests.live import free_port
from tests.programs import redis_server, running, short_directory
from tests.services import REDIS_SERVER, needs_redis_server

pytestmark = needs_redis_server

Start = Callable[..., Awaitable[FastAPI]]

CREDENTIALS = {"email": "nobody@example.com", "password": "Wrong-Horse-7"}


@pytest.fixture
def here() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


async def login_statuses(client: httpx.AsyncClient, times: int) -> list[int]:
    tries = [await client.post("/api/auth/login", json=CREDENTIALS) for _ in range(times)]
    return [answer.status_code for answer in tries]


REFUSING = {
    "a replica": (("--replicaof", "127.0.0.1", "1"), "is a read-only replica"),
    "full": (("--maxmemory", "1", "--maxmemory-policy", "noeviction"), "is full (maxmemory)"),
    "no scripts": (
        ("--user", "default", "on", "nopass", "~*", "+@all", "-@scripting"),
        "does not let this user count",
    ),
    "other keys": (
        ("--user", "default", "on", "nopass", "~other:*", "+@all"),
        "does not let this user count",
    ),
    "reads only": (
        ("--user", "default", "on", "nopass", "~*", "+@read", "+@scripting", "+@connection"),
        "does not let this user count",
    ),
    "a node without slots": (("--cluster-enabled", "yes"), "is a cluster that is down"),
    "too few replicas": (("--min-replicas-to-write", "1"), "has too few replicas"),
    "a password": (("--requirepass", "another"), "refuses the password"),
    "a replica alone": (
        ("--replicaof", "127.0.0.1", "1", "--replica-serve-stale-data", "no"),
        "is a replica without its main server",
    ),
    "a command taken away": (("--rename-command", "EVALSHA", ""), "lacks a command that is needed"),
}


@pytest.mark.parametrize("kind", REFUSING)
async def test_a_redis_that_answers_and_does_not_count_is_told(
    start: Start, here: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    options, reason = REFUSING[kind]
    with redis_server(here, *options) as port:
        app = await start(redis_url=f"redis://127.0.0.1:{port}/0", rate_limit_auth="4/hour")
        client = connect(app)

        ready = await client.get("/health/ready")
        assert (ready.status_code, error_code(ready)) == (503, "unavailable")
        assert ready.json()["error"]["details"] == [{"field": "limits", "message": "down"}]

        [finding] = await _check_redis(services_of(app))
        assert (finding["id"], finding["severity"]) == ("redis", "error")
        assert reason in finding["message"]
        assert finding["fix"]

        # Counted in memory meanwhile; one warning, however many requests.
        assert await login_statuses(client, 6) == [401] * 4 + [429] * 2
        warnings = [line for line in capsys.readouterr().out.splitlines() if "redis_away" in line]
        assert len(warnings) == 1
        assert reason in warnings[0]


async def test_a_redis_full_of_clients_is_told(start: Start, here: Path) -> None:
    with redis_server(here) as port, redis.Redis(port=port) as somebody:
        somebody.config_set("maxclients", 1)
        app = await start(redis_url=f"redis://127.0.0.1:{port}/0")

        [finding] = await _check_redis(services_of(app))
        assert "takes no more connections" in finding["message"]
        assert (await connect(app).get("/health/ready")).status_code == 503


@pytest.mark.parametrize("loss", ["emptied", "restarted", "an older copy"])
async def test_a_redis_that_has_forgotten_is_told(start: Start, here: Path, loss: str) -> None:
    """It lets through no second window: emptied, restarted, or a replica that lagged behind."""
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with ExitStack() as servers:
        servers.enter_context(redis_server(here, port=port))
        app = await start(redis_url=url, rate_limit_auth="4/hour", rate_limit_account="6/hour")
        client = connect(app)
        assert await login_statuses(client, 5) == [401] * 4 + [429]
        if loss == "restarted":
            servers.close()
            (here / f"redis-{port}").rename(here / "before")
            servers.enter_context(redis_server(here, port=port))
        with redis.Redis(port=port) as connection:
            if loss == "emptied":
                connection.flushall()
            if loss == "an older copy":
                [login], [account] = connection.keys("*login*"), connection.keys("*account*")
                connection.set(login, 1, ex=60)
                connection.delete(account)

            after = await login_statuses(client, 3)
            await services_of(app).limiter.is_up()

            assert after == [429] * 3
            left = [connection.ttl(key) for key in connection.keys("*login*")]
        assert all(3500 < seconds <= 3600 for seconds in left), left
        # The account's as well: two more wrong ones from elsewhere, and no six.
        elsewhere = [connect(app, f"203.0.113.{number}") for number in range(4)]
        statuses = [(await login_statuses(client, 1))[0] for client in elsewhere]
        assert statuses == [401, 429, 429, 429]


async def test_a_new_password_is_not_taken_for_a_loss(start: Start, here: Path) -> None:
    """Another worker counts on from nothing then, not from what it knew."""
    with redis_server(here) as port:
        options = {"redis_url": f"redis://127.0.0.1:{port}/0", "app_name": "one"}
        one, two = [services_of(await start(**options)) for _ in range(2)]
        for services in (one, two):
            for _ in range(5):
                await (await services.limiter.reserve(services.account_limit, "key")).spend()

        await one.limiter.forget(one.account_limit, "key")

        assert (await two.limiter.reserve(two.account_limit, "key")).number == 1
        taken_back = await one.limiter.reserve(one.account_limit, "key")
        async with taken_back:
            pass
        assert (await two.limiter.reserve(two.account_limit, "key")).number == 2


async def test_the_warning_comes_again_after_a_minute(
    start: Start, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_server(here, "--maxmemory", "1", "--maxmemory-policy", "noeviction") as port:
        app = await start(redis_url=f"redis://127.0.0.1:{port}/0")
        limiter = services_of(app).limiter
        now = time.monotonic()
        for minutes, warnings in ((0, 1), (0.5, 0), (1.1, 1), (1.5, 0)):
            clock = SimpleNamespace(monotonic=partial(float, now + minutes * REMIND_SECONDS))
            monkeypatch.setattr("app.foundation.limits.redis.time", clock)
            assert not await limiter.is_up()
            assert capsys.readouterr().out.count("redis_away") == warnings


async def test_a_user_with_the_documented_rights_may_count(start: Start, here: Path) -> None:
    rights = ["+@read", "+@write", "+@scripting", "+@connection"]
    with redis_server(here, "--user", "limits", "on", ">word", "~app:limits:*", *rights) as port:
        app = await start(redis_url=f"redis://limits:word@127.0.0.1:{port}/0", app_name="app")

        assert (await connect(app).get("/health/ready")).status_code == 200


async def test_a_redis_behind_tls(start: Start, here: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(here / "ca.pem"))
    server = authority.issue_cert("127.0.0.1")
    server.private_key_and_cert_chain_pem.write_to_path(str(here / "server.pem"))
    tls, file = free_port(), str(here / "server.pem")
    options = ["--tls-port", str(tls), "--tls-cert-file", file, "--tls-key-file", file]
    with redis_server(here, *options, "--tls-ca-cert-file", file, "--tls-auth-clients", "no"):
        url = f"rediss://127.0.0.1:{tls}/0?ssl_ca_certs={here}/ca.pem"
        app = await start(redis_url=url)
        assert (await connect(app).get("/health/ready")).status_code == 200

        distrusted = await start(redis_url=f"rediss://127.0.0.1:{tls}/0")
        assert (await connect(distrusted).get("/health/ready")).status_code == 503


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ERR Error running script: @user_script:5: -READONLY You can't write", "read-only"),
        ("MISCONF Redis is configured to save RDB snapshots", "disk"),
        ("unknown command `HELLO`, with args beginning with: ", "HELLO"),
        ("ERR ACL failure in script: User limits has no permissions", "does not let"),
        ("DB index is out of range", "has no database of this number"),
        ("BUSY Redis is busy running a script.", "is kept busy"),
        ("SOMETHING new", "refuses to count"),
    ],
)
def test_what_other_versions_say_is_understood(text: str, reason: str) -> None:
    assert reason in problem_of(redis.ResponseError(text)).reason


def test_a_redis_that_is_not_there_yet_is_no_dead_one() -> None:
    assert (
        problem_of(redis.BusyLoadingError("dataset in memory")).reason
        == "is still loading its data"
    )


async def hosts_share_a_limit(one: FastAPI, other: FastAPI, address: str) -> None:
    """Of a limit of four, each of two hosts lets as many pass as the other leaves."""
    statuses = []
    for app in (one, other) * 3:
        statuses += await login_statuses(connect(app, address), 1)
    assert statuses == [401] * 4 + [429] * 2


async def wait_until_ready(*apps: FastAPI) -> None:
    """Ready, and asked: the requests that come during an outage are counted in memory."""
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    for app in apps:
        client = connect(app, "192.0.2.250")
        while (await client.get("/health/ready")).status_code != 200 or _is_away(app):
            assert time.monotonic() < give_up_at, "it did not recover"
            await client.get("/nowhere")
            await asyncio.sleep(0.1)


def _is_away(app: FastAPI) -> bool:
    storage: Any = services_of(app).limiter._storage
    return bool(storage._away_until)


OF_A_CLUSTER = ("--cluster-enabled", "yes", "--cluster-node-timeout", "60000")
"""Nodes that are only slow do not give each other up."""

WATCHING = """
port {port}
bind 127.0.0.1
sentinel monitor limits 127.0.0.1 {main} 1
sentinel down-after-milliseconds limits 600000
sentinel failover-timeout limits 2000
"""
"""A server that is only slow is not taken for dead."""


@contextmanager
def cluster(here: Path) -> Iterator[list[int]]:
    """Three nodes, each with a third of the slots; their ports."""
    with ExitStack() as stack:
        ports = [stack.enter_context(redis_server(here, *OF_A_CLUSTER)) for _ in range(3)]
        join_cluster(ports)
        yield ports


def join_cluster(ports: list[int]) -> None:
    for index, port in enumerate(ports):
        with redis.Redis(port=port) as node:
            first, last = index * 16384 // 3, (index + 1) * 16384 // 3 - 1
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0])
    for port in ports:
        wait_until_whole(port)


def wait_until_whole(port: int) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    with redis.Redis(port=port) as node:
        while "ok" not in str(node.execute_command("CLUSTER", "INFO")).split("cluster_slots")[0]:
            assert time.monotonic() < give_up_at, "the cluster did not form"
            time.sleep(0.05)


async def test_hosts_share_their_limits_over_a_cluster(start: Start, here: Path) -> None:
    with cluster(here) as ports:
        url = f"redis+cluster://127.0.0.1:{ports[1]},127.0.0.1:{ports[0]}"
        one, other = [
            await start(redis_url=url, app_name="app", rate_limit_auth="4/hour") for _ in range(2)
        ]
        for app in (one, other):
            assert (await connect(app).get("/health/ready")).status_code == 200
        for number in range(8):  # their counters belong to different nodes
            await hosts_share_a_limit(one, other, f"192.0.2.{number}")
        keys = [redis.Redis(port=port).dbsize() for port in ports]
        assert all(keys), keys

        # A node by itself is no server for this.
        alone = await start(redis_url=f"redis://127.0.0.1:{ports[0]}/0", app_name="app")
        assert (await connect(alone).get("/health/ready")).status_code == 503
        [finding] = await _check_redis(services_of(alone))
        assert "is a node of a cluster" in finding["message"]


async def test_hosts_share_their_limits_over_a_failover(start: Start, here: Path) -> None:
    sentinel, main, replica = free_port(), free_port(), free_port()
    (here / "sentinel.conf").write_text(WATCHING.format(port=sentinel, main=main))
    with ExitStack() as stack:
        first = ExitStack()
        stack.callback(first.close)
        first.enter_context(redis_server(here, port=main))
        follows = ("--replicaof", "127.0.0.1", str(main), "--repl-diskless-sync-delay", "0")
        stack.enter_context(redis_server(here, *follows, port=replica))
        command = [REDIS_SERVER, str(here / "sentinel.conf"), "--sentinel"]
        stack.enter_context(running(command, here, sentinel))
        until_sentinel_knows_the_replica(sentinel)

        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel}/limits"
        one, other = [
            await start(redis_url=url, app_name="app", rate_limit_auth="4/hour") for _ in range(2)
        ]
        await wait_until_ready(one, other)
        await hosts_share_a_limit(one, other, "192.0.2.1")

        first.close()  # the main server dies
        for app in (one, other):  # nobody gets new tries by that, nor an error
            assert await login_statuses(connect(app, "192.0.2.1"), 2) == [429, 429]
        with redis.Redis(port=sentinel) as watching:
            watching.execute_command("SENTINEL SET limits down-after-milliseconds 100")
        await wait_until_ready(one, other)
        await hosts_share_a_limit(one, other, "192.0.2.2")
        assert redis.Redis(port=replica).info("replication")["role"] == "master"


def until_sentinel_knows_the_replica(port: int) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    with redis.Redis(port=port, decode_responses=True) as sentinel:
        while not any(found["flags"] == "slave" for found in sentinel.sentinel_slaves("limits")):
            assert time.monotonic() < give_up_at, "the sentinel finds no replica"
            time.sleep(0.05)
