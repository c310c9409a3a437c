"""How many others sign in while one account, or one address, asks for all that it can.

    .venv/bin/python scripts/attacked.py [--project DIR] [--seconds 6]

Serves a project (the template, unless told) with limits out of the way and a cheap hash, and counts
the logins of four people with addresses and accounts of their own: alone, and beside each attack.
Everything shares this machine, so the ratios count. docs/attacked.md has the last figures.
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
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

ROOT: Final = Path(__file__).parents[1]
OTHERS: Final = 4
CONNECTIONS: Final = 40
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
    "40 parallel requests from another site": from_another_site,
}


@asynccontextmanager
async def served(project: Path, directory: Path) -> AsyncIterator[str]:
    """The address of a running project with an empty database."""
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
        yield f"http://127.0.0.1:{port}"
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


async def logins(client: httpx.AsyncClient, seconds: float) -> tuple[float, int]:
    """What the others got: logins a second, and how many were refused."""
    done = refused = 0
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
    return done / seconds, refused


async def attack(url: str, kind: str, headers: dict[str, str]) -> None:
    """Without an end, on as many connections; a process of its own."""
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:

        async def go_on() -> None:
            while True:
                await ATTACKS[kind](client, headers)

        await asyncio.gather(*[go_on() for _ in range(CONNECTIONS)])


async def measure(project: Path, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        async with (
            served(project, Path(scratch)) as url,
            httpx.AsyncClient(base_url=url, timeout=30) as client,
        ):
            while True:
                try:
                    await client.get("/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
            *_, attacker = [await register(client, number) for number in range(OTHERS + 1)]
            await logins(client, 1)
            for kind in ATTACKS:
                idle, _ = await logins(client, seconds)
                command = [sys.executable, __file__, "--attack", kind, "--url", url]
                running = subprocess.Popen(  # noqa: ASYNC220
                    [*command, "--authorization", attacker["Authorization"]]
                )
                await asyncio.sleep(1)
                beside, refused = await logins(client, seconds)
                running.kill()
                running.wait()
                ratio = beside / idle
                print(
                    f"{kind}: {idle:.1f} -> {beside:.1f} a second, {ratio:.2f} x, {refused} refused"
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
        asyncio.run(attack(args.url, args.attack, headers))
    else:
        asyncio.run(measure(args.project.resolve(), args.seconds))


if __name__ == "__main__":
    main()
