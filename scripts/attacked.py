"""How many others sign in while one account, or one address, asks for all that it can.

    .venv/bin/python scripts/attacked.py [--project DIR] [--seconds 6]

Serves a project (the template, unless told) with limits out of the way and a cheap hash, and counts
the logins of four people with addresses and accounts of their own: alone, and beside each attack.
Everything shares this machine, so the ratios count: of logins a second, and where others use it,
of logins for a second of the server's processor. docs/attacked.md has the last figures.
"""

import argparse
import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

ROOT: Final = Path(__file__).parents[1]
OTHERS: Final = 4
CONNECTIONS: Final = 40
OF_A_BROWSER: Final = 6
"""To one host."""
PASSWORD: Final = "Correct-Horse-7"  # noqa: S105
SETTINGS: Final = {
    "ENVIRONMENT": "test",
    "BCRYPT_COST": "8",
    "TRUSTED_PROXIES": "127.0.0.1",
    "LOG_LEVEL": "error",
    "RATE_LIMIT_AUTH": "1000000000/hour",
    "RATE_LIMIT_GENERAL": "1000000000/hour",
    "RATE_LIMIT_ACCOUNT": "1000000000/hour",
}

Attack = Callable[[httpx.AsyncClient, dict[str, str]], Awaitable[httpx.Response]]


def change_password(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> Awaitable[httpx.Response]:
    body = {"currentPassword": "Wrong-Horse-7", "newPassword": PASSWORD}
    return client.post("/api/users/me/change-password", json=body, headers=headers)


def log_in(client: httpx.AsyncClient, headers: dict[str, str]) -> Awaitable[httpx.Response]:
    body = {"email": f"{secrets.token_hex(4)}@example.com", "password": PASSWORD}
    return client.post("/api/auth/login", json=body, headers=headers)


def from_another_site(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> Awaitable[httpx.Response]:
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    headers = foreign | {
        "X-Forwarded-For": headers["X-Forwarded-For"],
        "Content-Type": "text/plain",
    }
    return client.post("/api/auth/login", content=b"{}", headers=headers)


ATTACKS: Final[dict[str, Attack]] = {
    "40 parallel changes of one password": change_password,
    "40 parallel logins from one address": log_in,
    "a page of another site": from_another_site,
}


@asynccontextmanager
async def served(project: Path, directory: Path) -> AsyncIterator[tuple[str, int]]:
    """The address of a running project with an empty database, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = {
        "DATABASE_URL": f"sqlite:///{directory}/attacked.db",
        "JWT_SECRET": secrets.token_urlsafe(48),
        "PYTHONPATH": str(project),
    }
    environment = os.environ | SETTINGS | values
    migrate = [
        sys.executable,
        "-m",
        "alembic",
        "-c",
        str(project / "alembic.ini"),
        "upgrade",
        "head",
    ]
    subprocess.run(migrate, cwd=project, env=environment, check=True, capture_output=True)  # noqa: ASYNC221
    options = ["--no-proxy-headers", "--no-server-header", "--port", str(port)]
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--log-level", "error", *options]
    server = subprocess.Popen(command, cwd=directory, env=environment)  # noqa: ASYNC220
    try:
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait()


async def register(client: httpx.AsyncClient, number: int) -> dict[str, str]:
    """The headers of a new user, who has an address of their own."""
    address = {"X-Forwarded-For": f"192.0.2.{number}"}
    body = {"email": f"user{number}@example.com", "password": PASSWORD}
    answer = await client.post("/api/auth/register", json=body, headers=address)
    answer.raise_for_status()
    return address | {"Authorization": f"Bearer {answer.json()['accessToken']}"}


def cpu_seconds(process: int) -> float:
    """What a process has had of the processor (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def logins(
    client: httpx.AsyncClient, seconds: float, server: int
) -> tuple[float, float, int]:
    """What the others got: logins a second, and a second of the processor; how many refusals."""
    done = refused = 0
    before = cpu_seconds(server)
    end = time.monotonic() + seconds

    async def keep_on(number: int) -> None:
        nonlocal done, refused
        body = {"email": f"user{number}@example.com", "password": PASSWORD}
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        while time.monotonic() < end:
            answer = await client.post("/api/auth/login", json=body, headers=headers)
            done += answer.status_code == 200
            refused += answer.status_code != 200

    await asyncio.gather(*map(keep_on, range(OTHERS)))
    return done / seconds, done / (cpu_seconds(server) - before), refused


async def attack(url: str, kind: str, headers: dict[str, str]) -> None:
    """Without an end, on as many connections; a process of its own."""
    connections = OF_A_BROWSER if ATTACKS[kind] is from_another_site else CONNECTIONS
    limits = httpx.Limits(max_connections=connections)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:

        async def go_on() -> None:
            while True:
                await ATTACKS[kind](client, headers)

        await asyncio.gather(*[go_on() for _ in range(connections)])


async def measure(project: Path, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        async with (
            served(project, Path(scratch)) as (url, server),
            httpx.AsyncClient(base_url=url, timeout=30) as client,
        ):
            while True:
                try:
                    await client.get("/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
            *_, attacker = [await register(client, number) for number in range(OTHERS + 1)]
            await logins(client, 1, server)
            for kind in ATTACKS:
                idle, idle_cpu, _ = await logins(client, seconds, server)
                command = [sys.executable, __file__, "--attack", kind, "--url", url]
                running = subprocess.Popen(  # noqa: ASYNC220
                    [*command, "--authorization", attacker["Authorization"]]
                )
                await asyncio.sleep(1)
                beside, beside_cpu, refused = await logins(client, seconds, server)
                running.kill()
                running.wait()
                print(
                    f"{kind}: {idle:.1f} -> {beside:.1f} a second, {beside / idle:.2f} x; "
                    f"by processor {beside_cpu / idle_cpu:.2f} x; {refused} refused"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT / "template")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--authorization", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.attack:
        headers = {"X-Forwarded-For": "203.0.113.9", "Authorization": args.authorization}
        with suppress(httpx.TransportError):  # the server has gone
            asyncio.run(attack(args.url, args.attack, headers))
    else:
        asyncio.run(measure(args.project.resolve(), args.seconds))


if __name__ == "__main__":
    main()
