"""minimal-fastapi-postgres-template in the same run, for the goals that name it.

Nothing of it is part of this repository: `--minimal DIR` points at a checkout with a `.venv` (the
README says how), and it is served as its Dockerfile serves it.
"""

import asyncio
import json
import os
import secrets
import subprocess
import time
import urllib.parse
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from benchmarks import project as made
from benchmarks.cases import CLIENTS, STORM_READERS, Case, Numbers, numbers_of
from benchmarks.load import Load, drain, post
from benchmarks.servers import Server
from benchmarks.world import World

NAME: Final = "minimal"
USERS: Final = 16
TOKEN_SECONDS: Final = 36_000


def join(directory: Path, world: World, stack: ExitStack) -> None:
    """Start it, and register its users."""
    url = stack.enter_context(made.scratch_database(world.options.database_url))
    environment = _settings(url)
    bin_directory = directory.absolute() / ".venv/bin"
    subprocess.run(
        [bin_directory / "alembic", "upgrade", "head"],
        cwd=directory,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    command = [str(bin_directory / "uvicorn"), "app.main:app", "--host", "127.0.0.1"]
    command += ["--port", "{port}", "--workers", "1", "--loop", "uvloop"]
    log = world.options.scratch / "minimal.log"
    server = Server(command, directory, environment, log, ready="/probe/live")
    world.servers[NAME] = stack.enter_context(server)
    world.settings[NAME] = {"DATABASE_URL": url}
    world.people[NAME] = _add_people(world)


def _settings(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    return {
        "DATABASE__HOSTNAME": parts.hostname or "127.0.0.1",
        "DATABASE__PORT": str(parts.port or 5432),
        "DATABASE__USERNAME": parts.username or "postgres",
        "DATABASE__PASSWORD": parts.password or "",
        "DATABASE__DB": parts.path.strip("/"),
        "SECURITY__JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "SECURITY__JWT_ACCESS_TOKEN_EXPIRE_SECS": str(TOKEN_SECONDS),
    }


def _add_people(world: World) -> made.People:
    emails = [f"{secrets.token_hex(8)}@example.com" for _ in range(USERS)]
    access = []
    for email in emails:
        body = json.dumps({"email": email, "password": made.PASSWORD})
        post(world.url(NAME, "/auth/register"), body)
        access.append(post(world.url(NAME, "/auth/access-token"), _form(email))["access_token"])
    directory = world.options.scratch / "people"
    people = made.People(*(directory / f"minimal-{kind}" for kind in ("emails", "access", "none")))
    people.emails.write_text("\n".join(emails) + "\n", encoding="utf-8")
    people.access.write_text("\n".join(access) + "\n", encoding="utf-8")
    return people


def _form(email: str) -> str:
    return urllib.parse.urlencode({"username": email, "password": made.PASSWORD})


def _drain(world: World) -> None:
    email = world.people[NAME].emails.read_text().split()[0]
    drain(world.url(NAME, "/auth/access-token"), _form(email))


def _fresh_refresh_tokens(world: World, count: int) -> Path:
    tokens = [secrets.token_urlsafe(32) for _ in range(count)]
    asyncio.run(_store(world.settings[NAME]["DATABASE_URL"], tokens))
    path = world.options.scratch / "people" / f"minimal-refresh-{secrets.token_hex(4)}"
    path.write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return path


async def _store(url: str, tokens: list[str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO auth_refresh_token (refresh_token, used, exp, user_id)"
            " SELECT token, false, $2, (SELECT user_id FROM auth_user LIMIT 1)"
            " FROM unnest($1::text[]) AS token",
            tokens,
            int(time.time()) + TOKEN_SECONDS,
        )
    finally:
        await connection.close()


def _read(world: World, clients: int) -> Load:
    tokens = str(world.people[NAME].access)
    return Load("read", world.url(NAME, "/auth/me"), clients, {"TOKENS": tokens})


def _login(world: World) -> Load:
    environment = {
        "EMAILS": str(world.people[NAME].emails),
        "PASSWORD": made.PASSWORD,
        "LOGIN_BODY": "username=%s&password=%s",
        "LOGIN_TYPE": "application/x-www-form-urlencoded",
    }
    return Load("login", world.url(NAME, "/auth/access-token"), 8, environment)


def read(world: World, seconds: float) -> Numbers:
    return numbers_of(_read(world, CLIENTS).run(seconds))


def login(world: World, seconds: float) -> Numbers:
    logins = _login(world)
    numbers = numbers_of(logins.finish(logins.start(2 * seconds)))
    _drain(world)
    return numbers


def read_storm_8(world: World, seconds: float) -> Numbers:
    storm = _login(world).start(seconds + 2)
    time.sleep(1)
    reads = _read(world, STORM_READERS)
    numbers = numbers_of(reads.finish(reads.start(seconds)))  # there may be none
    _login(world).finish(storm)
    _drain(world)
    return numbers


def refresh(world: World, seconds: float) -> Numbers:
    tokens = str(_fresh_refresh_tokens(world, 4 * CLIENTS))
    environment = {"TOKENS": tokens, "REFRESH_NAME": "refresh_token"}
    url = world.url(NAME, "/auth/refresh-token")
    return numbers_of(Load("refresh", url, CLIENTS, environment).run(seconds))


CASES: Final[dict[str, Case]] = {
    "minimal_read": read,
    "minimal_login": login,
    "minimal_read_storm_8": read_storm_8,
    "minimal_refresh": refresh,
}
