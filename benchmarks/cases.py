"""The cases: what is asked of which server, by how many clients. Each gives one number or more."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.load import Load, Result, drain
from benchmarks.project import PASSWORD, run_inside
from benchmarks.world import World

Numbers: TypeAlias = dict[str, float]
Case: TypeAlias = Callable[[World, float], Numbers]

CLIENTS: Final = 32
STORM_READERS: Final = 8
PAUSE_TRIES: Final = 3
LARGE_REQUESTS: Final = 200
"""More than `pauses.py` has."""
HEAD_START: Final = 1.0
"""A storm has filled the queue before its readers are measured."""


def numbers_of(result: Result) -> Numbers:
    return {
        "rps": result.rps,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "refused": float(result.refused),
    }


def read_load(world: World, server: str, clients: int) -> Load:
    tokens = world.people["sqlite" if server == "sqlite" else "postgresql"].access
    return Load("read", world.url(server, "/api/users/me"), clients, {"TOKENS": str(tokens)})


def login_load(world: World, server: str, clients: int) -> Load:
    emails = world.people[server].emails
    environment = {"EMAILS": str(emails), "PASSWORD": PASSWORD}
    return Load("login", world.url(server, "/api/auth/login"), clients, environment)


def read(server: str, clients: int = CLIENTS) -> Case:
    return lambda world, seconds: numbers_of(read_load(world, server, clients).run(seconds))


def limit(server: str) -> Case:
    return lambda world, seconds: numbers_of(
        Load("read", world.url(server, "/read"), CLIENTS, {}).run(seconds)
    )


def login(server: str) -> Case:
    """Eight clients keep both cores at bcrypt.

    Four times as long as others: what is under way at the end is not counted, on average half a
    login a core, and there are few in a second.
    """

    def measure(world: World, seconds: float) -> Numbers:
        numbers = numbers_of(login_load(world, server, 8).run(4 * seconds))
        drain_logins(world, server)
        return numbers

    return measure


def drain_logins(world: World, server: str) -> None:
    email = world.people[server].emails.read_text().split()[0]
    body = json.dumps({"email": email, "password": PASSWORD})
    drain(world.url(server, "/api/auth/login"), body)


def refresh(server: str) -> Case:
    def measure(world: World, seconds: float) -> Numbers:
        tokens = world.fresh_refresh_tokens(server, 4 * CLIENTS)
        url = world.url(server, "/api/auth/refresh")
        load = Load("refresh", url, CLIENTS, {"TOKENS": str(tokens)})
        return numbers_of(load.run(seconds))

    return measure


def read_under_storm(clients: int) -> Case:
    """Eight clients read while others sign in, on the same server."""

    def measure(world: World, seconds: float) -> Numbers:
        storm_load = login_load(world, "postgresql", clients)
        storm = storm_load.start(seconds + 2 * HEAD_START)
        try:
            # Not time.sleep: should wrk end early, there is nothing to measure.
            storm.wait(HEAD_START)
        except subprocess.TimeoutExpired:
            numbers = numbers_of(read_load(world, "postgresql", STORM_READERS).run(seconds))
        else:
            numbers = {}
        signed_in = storm_load.finish(storm)
        drain_logins(world, "postgresql")
        return {**numbers, "logins": signed_in.rps, "logins_refused": float(signed_in.refused)}

    return measure


def bcrypt_all_cores(world: World, seconds: float) -> Numbers:
    script = Path(__file__).with_name("limits") / "bcrypt_all_cores.py"
    command = [str(world.project / ".venv/bin/python"), str(script), str(2 * seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"rps": float(done.stdout)}


def pauses(world: World, seconds: float) -> Numbers:
    """Of each endpoint with each kind of a large request, how long it keeps the event loop."""
    settings = {**world.settings["sqlite"], "RATE_LIMIT_PASSWORD_RESET": "1000000000/hour"}
    script = Path(__file__).with_name("pauses.py").read_text(encoding="utf-8")
    tokens = world.fresh_access_tokens("sqlite", PAUSE_TRIES * LARGE_REQUESTS).read_text().split()
    job = json.dumps({"access": tokens, "tries": PAUSE_TRIES})
    printed = run_inside(world.project, ["-c", script], settings, job)
    measured: Numbers = json.loads(printed.splitlines()[-1])  # above it are log lines
    return {"longest_ms": max(measured.values()), **measured}


CASES: Final[dict[str, Case]] = {
    "limit_raw_asyncpg": limit("raw_asyncpg"),
    "limit_bare_fastapi": limit("bare_fastapi"),
    "limit_bcrypt": bcrypt_all_cores,
    "read": read("postgresql"),
    "login": login("postgresql"),
    "read_8": read("postgresql", STORM_READERS),
    "read_storm_8": read_under_storm(8),
    "read_storm_48": read_under_storm(48),
    "refresh": refresh("postgresql"),
    "refresh_large": refresh("postgresql_large"),
    "login_large": login("postgresql_large"),
    "read_sqlite": read("sqlite"),
    "read_two_workers": read("two_workers"),
    "read_redis": read("redis"),
    "read_redis_1ms": read("redis_1ms"),
    "pauses": pauses,
}
