"""Everything that runs while it is measured: the project, its databases, and one server a case."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks import project as made
from benchmarks.project import PRODUCTION, People
from benchmarks.servers import Server, api, limit

USERS: Final = 1000
READERS: Final = 200
BULK: Final = 1_000_000


@dataclass(frozen=True)
class Options:
    """What the command was asked for."""

    scratch: Path
    database_url: str
    redis_url: str
    bulk: int


@dataclass
class World:
    options: Options
    project: Path
    new_seconds: dict[str, float]
    servers: dict[str, Server] = field(default_factory=dict)
    people: dict[str, People] = field(default_factory=dict)
    settings: dict[str, dict[str, str]] = field(default_factory=dict)

    def url(self, server: str, path: str) -> str:
        return self.servers[server].url(path)

    def fresh_refresh_tokens(self, database: str, count: int) -> Path:
        """Refresh tokens work once, so each run needs its own."""
        return self._fresh_people(database, count).refresh

    def fresh_access_tokens(self, database: str, count: int) -> Path:
        """For what signs out, or makes admins of those who ask."""
        return self._fresh_people(database, count).access

    def _fresh_people(self, database: str, count: int) -> People:
        directory = self.options.scratch / "people"
        return made.add_people(self.project, self.settings[database], directory, count)


Guest = Callable[[World, ExitStack], None]
"""Brings a server of its own into the world, and registers how to take it down."""


@contextmanager
def build(options: Options, guests: Sequence[Guest] = ()) -> Iterator[World]:
    """Generate the project, fill the databases, start all servers; take all of it down again."""
    say("authkit new")
    project = options.scratch / "benchmark"
    world = World(options, project, made.generate(project))
    with ExitStack() as stack:
        _fill_databases(world, stack)
        for name, server in _servers(world, stack).items():
            say(f"start {name}")
            world.servers[name] = stack.enter_context(server)
        for join in guests:
            join(world, stack)
        yield world


def _fill_databases(world: World, stack: ExitStack) -> None:
    options = world.options
    urls = {
        "postgresql": stack.enter_context(made.scratch_database(options.database_url)),
        "postgresql_large": stack.enter_context(made.scratch_database(options.database_url)),
        "sqlite": "sqlite:///./benchmark.db",
    }
    for name, url in urls.items():
        bulk = options.bulk if name == "postgresql_large" else 0
        say(f"fill {name}: {bulk + USERS} users and sessions")
        world.settings[name] = {"DATABASE_URL": url, "REDIS_URL": ""}
        made.migrate(world.project, world.settings[name])
        world.people[name] = made.add_people(
            world.project, world.settings[name], options.scratch / "people", USERS, bulk
        )


def _servers(world: World, stack: ExitStack) -> dict[str, Server]:
    settings, scratch = world.settings, world.options.scratch

    def log(name: str) -> Path:
        return scratch / f"{name}.log"

    email = world.people["postgresql"].emails.read_text().splitlines()[0]
    limits = {**settings["postgresql"], "BENCHMARK_EMAIL": email}
    servers = {
        "raw_asyncpg": limit(world.project, log("raw_asyncpg"), "raw_asyncpg", limits),
        "bare_fastapi": limit(world.project, log("bare_fastapi"), "bare_fastapi", {}),
    }
    for name, environment in settings.items():
        servers[name] = api(world.project, log(name), {**PRODUCTION, **environment})
    two = {**PRODUCTION, **settings["postgresql"]}
    servers["two_workers"] = api(world.project, log("two_workers"), two, workers=2)
    for name, delay in (("redis", 0.0), ("redis_1ms", 1.0)):
        proxy = stack.enter_context(_delaying_proxy(world, log(f"{name}_proxy"), delay))
        redis = f"redis://127.0.0.1:{proxy.port}/{_database_number(world.options.redis_url)}"
        environment = {**PRODUCTION, **settings["postgresql"], "REDIS_URL": redis}
        servers[name] = api(world.project, log(name), environment)
    return servers


def _database_number(redis_url: str) -> str:
    return urlsplit(redis_url).path.strip("/") or "0"


def _delaying_proxy(world: World, log: Path, delay_ms: float) -> Server:
    redis = urlsplit(world.options.redis_url)
    command = [sys.executable, "-m", "benchmarks.delaying_proxy", "{port}"]
    command += [redis.hostname or "127.0.0.1", str(redis.port or 6379), str(delay_ms)]
    return Server(command, Path(__file__).parents[1], {}, log, ready=None)


def say(what: str) -> None:
    print(f"· {what}", file=sys.stderr, flush=True)
