"""Show that mail arrives: `python scripts/mail_delivery.py kills | outage | latency [OPTIONS]`.

kills     200 mails, and SIGKILL to the server at fifty random moments: lost, doubled
outage    mails promised while nobody answers for --minutes (10): lost, doubled, how late
latency   a neighbour's request right after forgot-password: AUC of its time, known against unknown

Each runs the template in place, on SQLite, or with `--postgresql` on a database of its own beside
AUTHKIT_TEST_DATABASE_URL, and prints one JSON object. It takes minutes, so it is not part of CI.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.smtp import SMTP

sys.path.insert(0, str(Path(__file__).parents[1] / "template"))
helpers = import_module("tests.helpers")
live = import_module("tests.live")

NEIGHBOUR = os.environ.get(
    "AUTHKIT_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)
PASSWORD, OTHER = "Correct-Horse-7", "Battery-Staple-8"
PLENTY = "100000/hour"


class Sink:
    """Takes mail, each after a while, as a server does that looks up who sends it."""

    def __init__(self, slowest: float = 0.0) -> None:
        self.slowest = slowest
        self.port = live.free_port()
        self.got: Counter[str] = Counter()
        self.at: list[float] = []

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(random.uniform(0, self.slowest))  # noqa: S311
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.got.update(envelope.rcpt_tos)
        self.at.append(time.monotonic())
        return "250 OK"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()


class World:
    """A database, settings, and servers that are started one after the other."""

    def __init__(self, directory: Path, database_url: str, sink: Sink, smtp_host: str) -> None:
        self.directory = directory
        self.url = database_url
        self.values = {
            "environment": "test",
            "jwt_secret": "not-a-secret-and-long-enough-to-sign-with",
            "bcrypt_cost": "4",
            "database_url": database_url,
            "smtp_host": smtp_host,
            "smtp_port": str(sink.port),
            "smtp_starttls": "false",
            "email_from": "no-reply@example.com",
            **{f"rate_limit_{name}": PLENTY for name in ("auth", "password_reset", "general")},
        }

    def server(self) -> Any:
        return live.serving(self.directory, self.values)

    async def waiting(self) -> int:
        tables = helpers.Tables(self.url)
        try:
            return sum(mail.not_before is not None for mail in await tables.mails())
        finally:
            await tables.close()

    async def until_sent(self, minutes: float) -> None:
        deadline = time.monotonic() + minutes * 60
        while await self.waiting() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(1)


async def registered(client: httpx.AsyncClient, count: int) -> list[Any]:
    return [await helpers.register(client, f"person{n}@example.com") for n in range(count)]


async def forgot(client: httpx.AsyncClient, email: str) -> bool:
    """Whether it was answered; a server that is killed answers nothing."""
    try:
        answer = await client.post("/api/auth/forgot-password", json={"email": email})
    except httpx.TransportError:
        return False
    return answer.status_code == 200


async def kills(world: World, sink: Sink, arguments: argparse.Namespace) -> dict[str, Any]:
    """Half of the kills meet requests as well; a mail counts as promised when it was answered."""
    sink.slowest = 2.0
    promised: list[str] = []
    async with sink.listening():
        async with world.server() as server, server.client() as client:
            people = [person.email for person in await registered(client, 200)]
            server.process.kill()
        for number in range(arguments.kills):
            async with world.server() as server, server.client() as client:
                due, people = people[:10], people[10:]
                asked = asyncio.gather(*(forgot(client, email) for email in due))
                await asyncio.sleep(random.uniform(0, arguments.uptime))  # noqa: S311
                server.process.kill()
                answered = zip(due, await asked, strict=True)
                promised += [email for email, ok in answered if ok]
                print(f"kill {number + 1}: {len(sink.got)} arrived", file=sys.stderr)
        under_way = await world.waiting()
        async with world.server():
            await world.until_sent(15)
    return {
        "kills": arguments.kills,
        "promised": len(promised),
        "under way after the last kill": under_way,
        "lost": sum(not sink.got[email] for email in promised),
        "doubled": sum(count > 1 for count in sink.got.values()),
    }


async def outage(world: World, sink: Sink, arguments: argparse.Namespace) -> dict[str, Any]:
    """Links and warnings, promised all through the outage."""
    expected: Counter[str] = Counter()
    async with world.server() as server, server.client() as client:
        people = await registered(client, 60)
        began = time.monotonic()
        for person in people:
            await asyncio.sleep(arguments.minutes)  # 60 people: the whole of it
            expected[person.email] += await forgot(client, person.email)
            if len(expected) % 2:
                body = {"currentPassword": PASSWORD, "newPassword": OTHER}
                changed = await client.post(
                    "/api/users/me/change-password", json=body, headers=person.headers
                )
                expected[person.email] += changed.status_code == 200
        ended = time.monotonic()
        async with sink.listening():
            await world.until_sent(60)
    # A change of the password withdraws the link that was asked for before it.
    withdrawn = sum(count - 1 for count in expected.values())
    return {
        "minutes": round((ended - began) / 60, 1),
        "promised": sum(expected.values()) - withdrawn,
        "lost": sum(not sink.got[email] for email in expected),
        "doubled": sum(count > 1 for count in sink.got.values()),
        "last arrived, minutes after": round((max(sink.at) - ended) / 60, 1),
    }


async def latency(world: World, sink: Sink, arguments: argparse.Namespace) -> dict[str, Any]:
    """In random order, so that nothing but the address differs."""
    times: dict[bool, list[float]] = {True: [], False: []}
    async with sink.listening(), world.server() as server, server.client() as client:
        people = await registered(client, arguments.n)
        order = [True] * arguments.n + [False] * arguments.n
        random.shuffle(order)
        for number, known in enumerate(order):
            email = people.pop().email if known else f"nobody{number}@example.com"
            await asyncio.sleep(arguments.pause)
            await forgot(client, email)
            began = time.perf_counter()
            await client.get("/health")
            times[known].append(time.perf_counter() - began)
    pairs = [(known, unknown) for known in times[True] for unknown in times[False]]
    wins = sum((known > unknown) + (known == unknown) / 2 for known, unknown in pairs)
    medians = {known: sorted(values)[len(values) // 2] * 1000 for known, values in times.items()}
    return {
        "n a side": arguments.n,
        "AUC": round(wins / len(pairs), 3),
        "median ms, known": round(medians[True], 2),
        "median ms, unknown": round(medians[False], 2),
    }


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite:///{name}/app.db"
        if arguments.postgresql:
            url = await helpers.make_scratch_database(NEIGHBOUR)
        try:
            await asyncio.to_thread(helpers.migrate, url)
            sink = Sink()
            world = World(Path(name), url, sink, "" if arguments.printed else "127.0.0.1")
            what = {"kills": kills, "outage": outage, "latency": latency}[arguments.what]
            found = await what(world, sink, arguments)
        finally:
            if arguments.postgresql:
                await helpers.drop_scratch_databases(NEIGHBOUR)
    return {"database": "PostgreSQL" if arguments.postgresql else "SQLite", **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["kills", "outage", "latency"])
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--uptime", type=float, default=2.5, help="of kills: seconds at most")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--n", type=int, default=500, help="of latency: requests a side")
    parser.add_argument("--pause", type=float, default=0.2, help="of latency: before each")
    parser.add_argument("--printed", action="store_true", help="of latency: as in development")
    print(json.dumps(asyncio.run(run(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
