"""Ask a generated project for minutes, while what it stands on is changed and restarted in turn.

    .venv/bin/python scripts/in_the_wild.py [--minutes 10] [--project DIR]

Eight clients go through nginx, two workers started as docs/deploy.md says, PgBouncer in transaction
mode and a Redis of their own; each checks what it is answered. PostgreSQL is that of
AUTHKIT_TEST_DATABASE_URL, where a database is made for the run. Exit 1 when an answer was wrong.
A 503, or a lost connection, is wrong as well unless just then a part is away that it is due to.
"""

import argparse
import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.wild_clients import REST, Client, Tally
from scripts.wild_parts import nginx, pgbouncer, python_of, redis, workers

SERVER: Final = os.environ.get(
    "AUTHKIT_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)
CLIENTS: Final = 8
QUIET_SECONDS: Final = 8.0
"""After each event, before the next."""
NO_LIMIT: Final = "1000000/hour"
"""Every request is counted, in Redis; none is refused."""

SETTINGS: Final = {
    "ENVIRONMENT": "test",
    "BCRYPT_COST": "4",
    "TRUSTED_PROXIES": "127.0.0.1",
    "LOG_FORMAT": "json",
    "RATE_LIMIT_AUTH": NO_LIMIT,
    "RATE_LIMIT_GENERAL": NO_LIMIT,
}
COLUMN_TYPES: Final = ("varchar(120)", "text", "varchar(130)", "varchar(100)")


@asynccontextmanager
async def scratch_database() -> AsyncIterator[str]:
    name = f"wild_{secrets.token_hex(6)}"
    await execute(SERVER, f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    try:
        yield urlsplit(SERVER)._replace(path=f"/{name}").geturl()
    finally:
        await execute(SERVER, f"DROP DATABASE {name} WITH (FORCE)")


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


def migrate(project: Path, settings: dict[str, str]) -> None:
    command = [python_of(project), "-m", "alembic", "upgrade", "head"]
    subprocess.run(command, cwd=project, env=os.environ | settings, check=True)


async def disturb(tally: Tally, events: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """One event after the other, with rest in between, until it is cancelled."""
    while True:
        for name, event in events.items():
            tally.event = name
            tally.counts[name].times += 1
            await event()
            await asyncio.sleep(QUIET_SECONDS / 2)
            tally.event = REST
            await asyncio.sleep(QUIET_SECONDS / 2)


async def run(project: Path, minutes: float, here: Path) -> bool:
    async with AsyncExitStack() as stack:
        database_url = await stack.enter_async_context(scratch_database())
        pool, counts = pgbouncer(here, database_url), redis(here)
        through = urlsplit(database_url)._replace(netloc=f"anybody@127.0.0.1:{pool.port}").geturl()
        urls = {"DATABASE_URL": through, "REDIS_URL": f"redis://127.0.0.1:{counts.port}/0"}
        api = workers(project, here, SETTINGS | urls)
        proxy = nginx(here, api.port)
        for part in (pool, counts, api, proxy):
            if part is api:
                await asyncio.to_thread(migrate, project, SETTINGS | urls)
            await part.start()
            stack.push_async_callback(part.stop)

        types = cycle(COLUMN_TYPES)

        async def change_type() -> None:
            change = f"ALTER TABLE users ALTER COLUMN name TYPE {next(types)}"
            await execute(database_url, change)

        events = {
            "a column changes its type": change_type,
            "PgBouncer restarts": pool.restart,
            "Redis restarts": counts.restart,
            "nginx restarts": proxy.restart,
            "workers are replaced (SIGHUP)": api.reload,
            "nginx reloads": proxy.reload,
        }
        tally = Tally()
        url = f"http://127.0.0.1:{proxy.port}"
        clients = [Client(url, f"127.0.1.{number}", tally) for number in range(1, CLIENTS + 1)]
        await clients[0].wait_until_healthy()

        disturbing = asyncio.create_task(disturb(tally, events))
        living = [asyncio.create_task(client.live()) for client in clients]
        ended, _ = await asyncio.wait([disturbing], timeout=minutes * 60)
        tally.is_over = True
        await asyncio.gather(*living)
        if ended:
            await disturbing  # raises what ended it
        disturbing.cancel()
        print(tally.table())
        for wrong in tally.wrong:
            print(wrong.said, *lines_about(wrong.request_id, api.log), sep="\n  ")
        return not tally.wrong


def lines_about(request_id: str, log: Path) -> list[str]:
    with log.open(encoding="utf-8", errors="replace") as lines:
        return [line.strip() for line in lines if request_id in line]


def generated(here: Path) -> Path:
    project = here / "wild"
    command = [sys.executable, "-m", "authkit", "new", str(project), "--defaults", "--no-git"]
    subprocess.run([*command, "--no-install"], check=True, capture_output=True)
    return project


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--project", type=Path, help="a generated one; made anew unless given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wild-") as directory:
        here = Path(directory)
        project = options.project or generated(here)
        return 0 if asyncio.run(run(project.resolve(), options.minutes, here)) else 1


if __name__ == "__main__":
    sys.exit(main())
