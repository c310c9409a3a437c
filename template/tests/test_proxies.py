"""Behind the proxies that people run: nginx and HAProxy, by TCP and by a Unix socket."""

import asyncio
import json
import re
import time

import httpx

from tests.helpers import GIVE_UP_SECONDS, error_code, register
from tests.live import START_OPTIONS, Serve
from tests.programs import haproxy, nginx, short_directory
from tests.services import needs_haproxy, needs_nginx

UVICORNS_OWN_SECONDS = 5
"""After which uvicorn closes an idle connection, unless it is told otherwise."""

BALANCERS_SECONDS = 60
"""For which AWS's and nginx's balancers keep one, unless they are told otherwise."""

CREDENTIALS = {"email": "nobody@example.com", "password": "Wrong-Horse-7"}

KEPT = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def client_at(address: str, port: int, prefix: str = "") -> httpx.AsyncClient:
    """A client with an address of its own: all of 127.0.0.0/8 is this host."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    base_url = f"http://127.0.0.1:{port}{prefix}"
    return httpx.AsyncClient(
        transport=transport, base_url=base_url, trust_env=False, timeout=GIVE_UP_SECONDS
    )


@needs_nginx
async def test_nginx_by_a_unix_socket_and_under_a_prefix(serve: Serve) -> None:
    settings = {"trusted_proxies": "unix", "rate_limit_auth": "2/hour", "log_format": "json"}
    with short_directory() as here, nginx(here, f"unix:{here}/api", prefix="/svc") as port:
        api = serve(uds=here / "api", options=["--root-path", "/svc"], **settings)
        async with api as server, client_at("127.0.0.2", port, "/svc") as ada:
            await register(ada)

            page = await ada.get("/docs")
            assert "script-src 'self'" in page.headers["content-security-policy"]
            for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text):
                assert (await ada.get(f"/{name}")).status_code == 200, name
            head = await ada.head("/health")
            assert (head.status_code, head.content) == (200, b"")

            for address in ("127.0.0.2", "127.0.0.3"):  # each has a limit of its own
                async with client_at(address, port, "/svc") as client:
                    login = "/api/auth/login"
                    tries = [await client.post(login, json=CREDENTIALS) for _ in range(3)]
                assert [answer.status_code for answer in tries] == [401, 401, 429]
        log = server.log  # whole, now that it has stopped
        lines = [json.loads(line) for line in log.splitlines() if "/api/auth/register" in line]
        assert [line["client"] for line in lines] == ["127.0.0.2"]
        assert "settings.risk" not in log


@needs_nginx
async def test_nginx_may_use_a_connection_that_was_idle(serve: Serve) -> None:
    """The API must not be the one that closes it: nginx answers 502 when both do so at once."""
    keep_alive = int(START_OPTIONS[START_OPTIONS.index("--timeout-keep-alive") + 1])
    assert keep_alive > BALANCERS_SECONDS

    with short_directory() as here:
        async with serve() as server:
            with nginx(here, f"127.0.0.1:{server.port}") as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                async with client_at("127.0.0.1", port) as client:
                    assert await is_answered(reader, writer)
                    assert (await client.get("/health")).status_code == 200
                    await asyncio.sleep(UVICORNS_OWN_SECONDS + 1)
                    assert (await client.get("/health")).status_code == 200
                    assert await is_answered(reader, writer)
                writer.close()


async def is_answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(KEPT)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), GIVE_UP_SECONDS)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200 ")


@needs_haproxy
async def test_haproxy_whose_checks_name_no_host(serve: Serve) -> None:
    settings = {"allowed_hosts": "api.example.com", "trusted_proxies": "127.0.0.1"}
    ours = {"Host": "api.example.com"}
    with short_directory() as here:
        async with serve(log_health="false", log_format="json", **settings) as server:
            with haproxy(here, server.port) as port:
                async with client_at("127.0.0.5", port) as client:
                    await wait_until_served(client)
                    assert error_code(await client.get("/docs")) == "invalid_host"
                    assert (await client.head("/docs", headers=ours)).status_code == 200
            assert '"client":"127.0.0.5"' in server.log
            assert '"path":"/health"' not in server.log


async def wait_until_served(client: httpx.AsyncClient) -> None:
    """503 of HAProxy's own, in HTML, until its first check has passed."""
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while (answer := await client.get("/health")).status_code != 200:
        assert time.monotonic() < give_up_at, answer.text
        await asyncio.sleep(0.05)
