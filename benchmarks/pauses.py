"""How long one request keeps the event loop. Runs in the generated project, with its interpreter.

Reads from standard input `{"access": ["...", ...], "tries": N}` and prints
`{"POST /api/auth/login, long password": ms, ...}`: the longest time between two turns of the loop
while one request is answered, in the kindest of its tries. Time is what the loop's thread computed,
so a neighbour on the machine is not in it. Every try takes an access token of its own, and those
who asked are admins afterwards.

Requests go straight into the application, so what the server takes to read them is not in it.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from time import thread_time
from typing import Any, Final

from app.accounts.models import Role, User
from app.application import create_app
from app.config import load_settings
from sqlalchemy import update

LARGEST_BODY: Final = 65_536
LARGEST_HEAD: Final = 32_000
"""What many a proxy lets through (nginx: four headers of 8 KiB)."""

EMAIL: Final = "ada@example.com"
PASSWORD: Final = "Correct-Horse-7"  # noqa: S105

BODIES: Final[dict[str, dict[str, str]]] = {
    "POST /api/auth/register": {"email": EMAIL, "password": PASSWORD, "name": "Ada"},
    "POST /api/auth/login": {"email": EMAIL, "password": PASSWORD},
    "POST /api/auth/refresh": {"refreshToken": "token"},
    "POST /api/auth/logout": {"refreshToken": "token"},
    "POST /api/auth/forgot-password": {"email": EMAIL},
    "POST /api/auth/reset-password": {"token": "token", "newPassword": PASSWORD},
    "PATCH /api/users/me": {"email": EMAIL, "name": "Ada"},
    "POST /api/users/me/change-password": {
        "currentPassword": PASSWORD,
        "newPassword": PASSWORD + "8",
    },
    "PATCH /api/users/00000000-0000-0000-0000-000000000000": {"role": "user"},
}

MEASURED: Final = {200, 400, 401, 404, 413, 414, 431}
"""Any other answer would mean that something stood in the way, such as a limit."""

Request = tuple[str, str, bytes, dict[bytes, bytes]]
"""Its name, `METHOD /path?query`, body and headers."""


def requests() -> Iterator[Request]:
    for endpoint, fields in BODIES.items():
        for kind, body in large_bodies(fields):
            yield f"{endpoint}, {kind}", endpoint, body, {}
    long = b"a" * LARGEST_HEAD
    for header in (b"authorization", b"user-agent", b"origin", b"x-request-id", b"cookie"):
        name = f"GET /api/users/me, long {header.decode()}"
        yield name, "GET /api/users/me", b"", {header: long}
    many = {b"x-%d" % number: b"a" for number in range(LARGEST_HEAD // 8)}
    yield "GET /api/users/me, many headers", "GET /api/users/me", b"", many
    yield "GET, long path", "GET /" + "a" * LARGEST_HEAD, b"", {}
    yield "GET, many segments", "GET " + "/a" * (LARGEST_HEAD // 2), b"", {}
    query = "&".join(f"k{number}=1" for number in range(LARGEST_HEAD // 9))
    yield "GET /api/users, long query", f"GET /api/users?{query}", b"", {}


def large_bodies(fields: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    room = LARGEST_BODY - 300
    for field in fields:
        yield f"long {field}", json.dumps({**fields, field: "a" * room}).encode()
        not_ascii = json.dumps({**fields, field: "ä" * (room // 2)}, ensure_ascii=False)
        yield f"long {field} beyond ASCII", not_ascii.encode()
    yield "numbers for a text", json.dumps({next(iter(fields)): [7] * (room // 3)}).encode()
    unknown = {f"k{number}": 0 for number in range(room // 12)}
    yield "unknown fields", json.dumps({**fields, **unknown}).encode()
    yield "deep nesting", b"[" * (LARGEST_BODY // 2) + b"]" * (LARGEST_BODY // 2)


async def ask(app: Any, request: Request, token: str) -> int:
    _, endpoint, body, headers = request
    method, _, target = endpoint.partition(" ")
    path, _, query = target.partition("?")
    status = 0
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    all_headers = {b"host": b"127.0.0.1", b"authorization": f"Bearer {token}".encode(), **headers}
    if body:
        length = str(len(body)).encode()
        all_headers |= {b"content-type": b"application/json", b"content-length": length}

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": list(all_headers.items()),
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    return status


async def longest_pause(app: Any, request: Request, token: str) -> float:
    """In milliseconds, between two turns of the loop while the request is answered."""
    asked = asyncio.create_task(ask(app, request, token))
    longest, before = 0.0, thread_time()
    while not asked.done():
        await asyncio.sleep(0)
        now = thread_time()
        longest, before = max(longest, now - before), now
    status = asked.result()
    if status not in MEASURED:
        raise RuntimeError(f"{request[0]}: {status}")
    return longest * 1000


async def main() -> None:
    job = json.load(sys.stdin)
    app = create_app(load_settings())
    tokens = iter(job["access"])
    measured = {}
    async with app.router.lifespan_context(app):
        await app.state.services.database.execute(update(User).values(role=Role.ADMIN))
        for request in requests():
            tries = [await longest_pause(app, request, next(tokens)) for _ in range(job["tries"])]
            measured[request[0]] = round(min(tries), 3)
    print(json.dumps(measured), file=sys.stdout)


asyncio.run(main())
