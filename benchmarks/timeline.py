"""Read latency against time: before, during and after people sign in."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from benchmarks.cases import drain_logins, login_load
from benchmarks.world import World

READERS: Final = 8
PAUSE_SECONDS: Final = 0.02
BEFORE_SECONDS: Final = 5
STORM_SECONDS: Final = 10
AFTER_SECONDS: Final = 5

Points: TypeAlias = list[tuple[float, float]]
"""(seconds since the beginning, milliseconds of a read)."""


@dataclass(frozen=True)
class Timeline:
    clients: int
    storm_starts: float
    storm_ends: float
    points: Points


def record(world: World, clients: int) -> Timeline:
    """Read at a steady pace while, for a time, so many clients sign in."""
    timeline = asyncio.run(_record(world, clients))
    drain_logins(world, "postgresql")
    return timeline


async def _record(world: World, clients: int) -> Timeline:
    tokens = world.people["postgresql"].access.read_text().split()[:READERS]
    url = world.url("postgresql", "/api/users/me")
    started = time.perf_counter()
    ends_at = started + BEFORE_SECONDS + STORM_SECONDS + AFTER_SECONDS
    readers = asyncio.gather(*(_read(url, token, started, ends_at) for token in tokens))
    await asyncio.sleep(BEFORE_SECONDS)
    storm_load = login_load(world, "postgresql", clients)
    storm_starts = time.perf_counter() - started
    storm = storm_load.start(STORM_SECONDS)
    await asyncio.to_thread(storm_load.finish, storm)
    storm_ends = time.perf_counter() - started
    points = sorted(point for reader in await readers for point in reader)
    return Timeline(clients, storm_starts, storm_ends, points)


async def _read(url: str, token: str, started: float, ends_at: float) -> Points:
    """One connection, kept open; the pauses are random so that the readers don't march in step."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Authorization: Bearer {token}")
    request = "\r\n".join((*head, "", "")).encode()
    points: Points = []
    while (asked := time.perf_counter()) < ends_at:
        writer.write(request)
        await _answer(reader)
        points.append((asked - started, (time.perf_counter() - asked) * 1000))
        await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))  # noqa: S311
    writer.close()
    return points


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a read was answered {head[:40]!r}")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    await reader.readexactly(int(length))
