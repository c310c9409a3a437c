"""SIGTERM: what was accepted is finished, and mail that is due goes out first."""

import asyncio
import secrets
import signal
import time
from collections.abc import Sequence

import httpx

from app.foundation.mail.queue import LEASE
from tests.helpers import GIVE_UP_SECONDS, OTHER_PASSWORD, Account, Tables, register, tokens_in
from tests.inbox import Inbox, smtp_server
from tests.live import Serve, Server
from tests.patience import soon
from tests.proxy import proxy_to
from tests.services import TEST_REDIS_URL, needs_postgresql, needs_redis

ENDED_BY_SIGTERM = {0, -signal.SIGTERM, 128 + signal.SIGTERM}

UNFINISHED = (
    b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
)


async def stop(server: Server) -> int:
    return await asyncio.to_thread(server.terminate)


async def said(server: Server, text: str) -> None:
    while text not in server.log:  # noqa: ASYNC110 - only the log tells
        await asyncio.sleep(0.01)


async def test_a_stop_under_load_loses_no_accepted_request_and_no_mail(
    serve: Serve, database: Tables
) -> None:
    """Whoever was stored was told so, and gets the mail that was promised: what is under way is
    finished, what is not is sent by whoever starts next."""
    inbox = Inbox()
    inbox.open.clear()
    async with smtp_server(inbox) as port:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": str(port), "smtp_starttls": "false"}
        async with serve(bcrypt_cost="8", **mail) as server, server.client() as client:
            account = await register(client)
            clients = [asyncio.create_task(keep_registering(client)) for _ in range(8)]
            await change_password(client, account)
            await client.post("/api/auth/forgot-password", json={"email": account.email})
            while not inbox.busy:  # noqa: ASYNC110 - only the inbox tells
                await asyncio.sleep(0.005)
            stopping = asyncio.create_task(stop(server))
            await said(server, "Waiting for application shutdown")
            done, _ = await asyncio.wait({stopping}, timeout=1)
            assert not done, "it waits for the mail that is under way"
            inbox.open.set()
            status = await stopping
            registered = {email for emails in await asyncio.gather(*clients) for email in emails}
        assert "password of your" in inbox.texts[0]
        [sent] = [mail for mail in await database.mails() if mail.kind == "password_changed"]
        assert sent.not_before is None, "whoever starts next sends it again"
        async with serve(**mail):
            await arrived(inbox, 2)

    assert status in ENDED_BY_SIGTERM
    assert registered
    assert registered | {account.email} == {row.email for row in await database.users()}
    assert sorted(len(tokens_in(text)) for text in inbox.texts) == [0, 1]


async def test_a_kill_between_the_answer_and_the_mail_loses_nothing(
    serve: Serve, database: Tables
) -> None:
    """Not one that was still to be sent, and not one that was being sent."""
    inbox = Inbox()
    inbox.open.clear()
    async with smtp_server(inbox) as port:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": str(port), "smtp_starttls": "false"}
        async with serve(**mail) as server, server.client() as client:
            people = [await register(client, f"{n}@example.com") for n in range(3)]
            for person in people:
                await change_password(client, person)
                await client.post("/api/auth/forgot-password", json={"email": person.email})
            while not inbox.busy:  # noqa: ASYNC110 - only the inbox tells
                await asyncio.sleep(0.005)
            server.process.kill()
        inbox.open.set()
        await database.travel(seconds=LEASE.total_seconds())  # nobody else sends it before
        async with serve(**mail):
            await arrived(inbox, 6)

    assert sorted(inbox.recipients) == sorted([person.email for person in people] * 2)


async def change_password(client: httpx.AsyncClient, account: Account) -> None:
    body = {"currentPassword": account.password, "newPassword": OTHER_PASSWORD}
    changed = await client.post("/api/users/me/change-password", json=body, headers=account.headers)
    assert changed.status_code == 200, changed.text


async def arrived(inbox: Inbox, count: int) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while len(inbox.mails) < count:  # noqa: ASYNC110 - only the inbox tells
            await asyncio.sleep(0.02)


async def keep_registering(client: httpx.AsyncClient) -> list[str]:
    """Register until the server is gone; returns the addresses for which it said 201."""
    done: list[str] = []
    while True:
        email = f"{secrets.token_hex(8)}@example.com"
        body = {"email": email, "password": "Correct-Horse-7"}
        try:
            response = await client.post("/api/auth/register", json=body)
        except httpx.TransportError:
            return done
        assert response.status_code == 201, response.text
        done.append(email)


@needs_postgresql
@needs_redis
async def test_neither_frozen_servers_nor_an_unfinished_request_hold_up_a_stop(
    serve: Serve, database_url: str
) -> None:
    async with proxy_to(database_url) as postgresql, proxy_to(TEST_REDIS_URL) as redis:
        settings = {
            "database_url": postgresql.url(database_url),
            "redis_url": redis.url(TEST_REDIS_URL),
        }
        async with (
            serve(**soon("database", "redis"), **settings) as server,
            server.client() as client,
        ):
            await register(client)
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(UNFINISHED)
            await writer.drain()
            postgresql.freeze()
            redis.freeze()
            status = await stop(server)
            writer.close()

    assert status in ENDED_BY_SIGTERM


HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_request_that_was_on_its_way_at_the_stop_is_answered(serve: Serve) -> None:
    """On a connection that was just made, and on one that was idle; each is told that it ends."""
    async with serve() as server:
        made = await asyncio.open_connection("127.0.0.1", server.port)
        kept = await asyncio.open_connection("127.0.0.1", server.port)
        kept[1].write(HEALTH)
        assert b"200 OK" in await kept[0].readuntil(b"}")
        async with server.client() as client:  # by now the other one is accepted, too
            await client.get("/health")
        server.send(signal.SIGTERM)
        await said(server, "Shutting down")
        for reader, writer in (made, kept):
            writer.write(HEALTH)
            answer = (await asyncio.wait_for(reader.read(), GIVE_UP_SECONDS)).lower()
            assert answer.startswith(b"http/1.1 200 ")
            assert b"connection: close" in answer
            writer.close()
        assert await stop(server) in ENDED_BY_SIGTERM


async def test_replacing_the_workers_under_load_loses_nothing(
    serve: Serve, database: Tables
) -> None:
    """SIGHUP to the parent of several, as for a new release: nobody notices."""
    async with serve(workers=2) as server, server.client() as client:
        account = await register(client)
        replaced = asyncio.Event()
        work = [asyncio.create_task(keep_using(server, account, replaced)) for _ in range(8)]
        for times in (1, 2):
            server.send(signal.SIGHUP)
            await wait_for_lines(server, "Finished server process", 2 * times, work)
        replaced.set()
        done = await asyncio.gather(*work)

        assert all(done)
        names = {name for names in done for name in names}
        assert (await database.user()).name in names
        assert "Traceback" not in server.log


async def keep_using(server: Server, account: Account, replaced: asyncio.Event) -> list[str]:
    """Read and write, on a connection that is kept and on new ones; returns the names written."""
    names = []
    async with server.client(headers=account.headers) as kept:
        while not replaced.is_set():
            async with server.client(headers=account.headers) as new:
                for client in (kept, new):
                    names.append(secrets.token_hex(4))
                    written = await client.patch("/api/users/me", json={"name": names[-1]})
                    assert (written.status_code, written.json()["name"]) == (200, names[-1])
                    assert (await client.get("/api/users/me")).status_code == 200
    return names


async def wait_for_lines(
    server: Server, text: str, count: int, work: Sequence[asyncio.Task[list[str]]]
) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while server.log.count(text) < count:
        assert time.monotonic() < give_up_at, server.log
        failed = [task for task in work if task.done()]
        await asyncio.gather(*failed)  # raises what ended them
        await asyncio.sleep(0.05)
