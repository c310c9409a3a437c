"""Try the other servers by the commands of the project's docs/deploy.md.

    .venv/bin/pip install gunicorn uvicorn-worker hypercorn granian
    .venv/bin/python scripts/other_servers.py

Outside CI. Of each: `X-Forwarded-For` counts from a trusted proxy alone, limits, probes, an empty
chunked body, `Upgrade: h2c`, a connection that was idle for longer than uvicorn's 5 s, a request
under way at SIGTERM, and whether its log is JSON. Exit 1 when something was not as that page says.
"""

import asyncio
import json
import os
import re
import secrets
import shlex
import signal
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "template"))

helpers, live, programs = (
    import_module(f"tests.{name}") for name in ("helpers", "live", "programs")
)

TEMPLATE: Final = Path(__file__).parents[1] / "template"
IDLE_SECONDS: Final = 7
UPGRADE: Final = (
    "POST /api/auth/refresh HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
)
CHUNKED: Final = "GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
IDLE: Final = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
SETTINGS: Final = {
    "environment": "test",
    "jwt_secret": secrets.token_urlsafe(48),
    "bcrypt_cost": "13",
    "rate_limit_auth": "2/hour",
    "log_format": "json",
}
NOBODY: Final = {"email": "nobody@example.com", "password": "Wrong-Horse-7"}


@dataclass
class Running:
    process: asyncio.subprocess.Process
    port: int
    log: Path

    def client(self) -> Any:
        return live.Server(None, self.port, self.log).client()


def commands() -> dict[str, list[str]]:
    """By the name of the module that is run."""
    page = (
        (TEMPLATE / "docs/deploy.md").read_text(encoding="utf-8").partition("## Other servers")[2]
    )
    found = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    if found is None:
        raise SystemExit("docs/deploy.md has no commands in its section “Other servers”")
    lines = found[1].replace("\\\n", "").splitlines()
    split = [shlex.split(line) for line in lines]
    return {words[2]: [sys.executable, *words[1:]] for words in split}


async def start(command: list[str], here: Path, values: dict[str, str]) -> Running:
    port = live.free_port()
    listening = [word.replace("8000", str(port)) for word in command]
    log = here / f"{command[2]}.log"
    environ = live.environment(values) | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *listening, cwd=TEMPLATE, env=environ, stdout=file, stderr=file
        )
    running = Running(process, port, log)
    await asyncio.wait_for(live.Server(_Alive(), port, log).wait_until_healthy(), 60)
    return running


class _Alive:
    def poll(self) -> None:
        return None


async def raw(port: int, *requests: str, pause: float = 0) -> list[int]:
    """Statuses of requests on one connection; 0 where it was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    statuses: list[int] = []
    for number, request in enumerate(requests):
        await asyncio.sleep(pause if number else 0)
        writer.write(request.encode())
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        except (asyncio.IncompleteReadError, ConnectionError):
            return [*statuses, 0]
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        statuses.append(int(head.split()[1]))
    writer.close()
    return statuses


async def logins(running: Running, forwarded: str) -> list[int]:
    async with running.client() as client:
        headers = {"X-Forwarded-For": forwarded}
        tries = [
            await client.post("/api/auth/login", json=NOBODY, headers=headers) for _ in range(3)
        ]
    return [answer.status_code for answer in tries]


async def stopped(running: Running) -> int:
    """The status of a login that was under way at SIGTERM."""
    who = {"email": f"{secrets.token_hex(8)}@example.com", "password": "Correct-Horse-7"}
    async with running.client() as client:
        under_way = asyncio.create_task(client.post("/api/auth/register", json=who))
        await asyncio.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        answer = await under_way
    await running.process.wait()
    return int(answer.status_code)


async def judge(name: str, command: list[str], here: Path, values: dict[str, str]) -> bool:
    trusting = await start(command, here, values | {"trusted_proxies": "127.0.0.1"})
    by_address = [await logins(trusting, address) for address in ("192.0.2.1", "192.0.2.2")]
    await stopped(trusting)
    running = await start(command, here, values)
    body = json.dumps({"refreshToken": "x"})
    found = {
        "a trusted proxy's clients each have a limit": by_address == [[401, 401, 429]] * 2,
        "without trust all are one": [
            *await logins(running, "192.0.2.3"),
            *await logins(running, "192.0.2.4"),
        ]
        == [401, 401, 429, 429, 429, 429],
        "an empty chunked body": await raw(running.port, CHUNKED),
        "Upgrade: h2c": await raw(running.port, UPGRADE.format(length=len(body), body=body)),
        "idle": await raw(running.port, IDLE, IDLE, pause=IDLE_SECONDS),
        "under way at SIGTERM": await stopped(running),
        "lines that are no JSON": sum(
            not line.startswith("{") for line in running.log.read_text().splitlines()
        ),
    }
    print(name, *(f"  {what}: {said}" for what, said in found.items()), sep="\n")
    return (
        list(found.values())[:2] == [True, True]
        and found["an empty chunked body"] == [200]
        and found["idle"] == [200, 200]
        and found["Upgrade: h2c"] == ([400] if name == "gunicorn" else [401])
        and found["under way at SIGTERM"] == 201
    )


async def run(here: Path) -> bool:
    url = f"sqlite:///{here}/wild.db"
    await asyncio.to_thread(helpers.migrate, url)
    values = SETTINGS | {"database_url": url}
    with programs.redis_server(here) as port:
        as_expected = []
        for name, command in commands().items():
            helpers.empty_database(url)
            own = {"redis_url": f"redis://127.0.0.1:{port}/0", "app_name": name}
            as_expected.append(await judge(name, command, here, values | own))
    return all(as_expected)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="wild-") as directory:
        sys.exit(0 if asyncio.run(run(Path(directory))) else 1)
