"""What the tests share: the application that ships, and a database of their own.

The suite needs nothing installed: it uses SQLite files and limits in memory. With
`TEST_DATABASE_URL` it makes a scratch PostgreSQL database beside the one named and drops it at
the end; with `TEST_REDIS_URL` it counts in Redis, under names of its own. Neither the
developer's `.env` nor the environment has any say in the settings under test.

Time is never waited for: `database.travel(days=7)` makes everything stored that much older.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import redis
import structlog
from fastapi import FastAPI

from app.accounts.messages import start_mail
from app.config import Settings, all_fields, load_settings
from app.foundation.log import configure_logging
from tests.helpers import (
    RUN,
    Account,
    Mailbox,
    Tables,
    connect,
    drop_scratch_databases,
    empty_database,
    make_scratch_database,
    migrate,
    register,
    running_app,
    services_of,
)
from tests.live import Serve, Server, serving
from tests.patience import deadlines, patient

TEST_DATABASE_URL = os.environ.get("TEST_DATABASE_URL", "")
TEST_REDIS_URL = os.environ.get("TEST_REDIS_URL", "")

# The same examples in each run, and no stopwatch: what passes here passes on a slow machine too.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("suite")

REDIS_PREFIX = f"test-{RUN}-"

PLENTY = "100000/hour"
"""A limit that no test reaches by accident; tests of limits set their own."""


WAITING = 2
"""Processes beyond the number of cores: while one waits for a server, another one runs."""


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """A single file is done before processes for it would have started."""
    processes = yield
    if len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file():
        return 0
    told = "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ
    return processes if told else processes + WAITING


LONGEST = (
    *("test_postgresql", "test_outages", "test_redis_outages", "test_rolling_rotation"),
    "test_races",
)
"""Files that wait most. One that came last would leave the other processes without work."""


@pytest.hookimpl(trylast=True)  # hypothesis has marked its own by then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The quick files first: those that start real servers come after all others.

    What asks such a server measures no coverage, for the code runs in another process. Nor does
    what hypothesis makes up: it asks code that examples ask too, and in a fresh project its tables
    of characters would be built under the tracer, ten times as slow.
    """
    serving = {item for item in items if {"serve", "server"} & set(fixtures_of(item))}
    slow = {item.path for item in serving}
    items.sort(key=lambda item: place(item.path, slow))
    if not config.getoption("no_cov", default=True):  # else nothing would know the mark
        for item in items:
            if item in serving or item.get_closest_marker("hypothesis"):
                item.add_marker("no_cover")


def place(path: Path, slow: Collection[Path]) -> int:
    if path.stem in LONGEST:
        return LONGEST.index(path.stem) + 1
    return len(LONGEST) + 1 if path in slow else 0


def fixtures_of(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove what was made on servers. Here, because Ctrl-C ends workers amid their fixtures."""
    if hasattr(session.config, "workerinput"):
        return
    if TEST_DATABASE_URL:
        asyncio.run(drop_scratch_databases(TEST_DATABASE_URL))
    if TEST_REDIS_URL:
        with redis.Redis.from_url(TEST_REDIS_URL) as connection:
            for key in connection.scan_iter(f"{REDIS_PREFIX}*"):
                connection.delete(key)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _only_settings_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the developer's environment and `.env`, which is read from the working directory."""
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ):
            if name.lower() in all_fields():
                patch.delenv(name)
        patch.chdir(tmp_path_factory.mktemp("cwd"))
        yield


@pytest.fixture(autouse=True)
def _logging_of_servers() -> Iterator[None]:
    """Log as servers do, and let no test's context reach the next one."""
    configure_logging("info", "json")
    yield
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session", autouse=True)
def _patient() -> Iterator[None]:
    """What is slow is not away, see tests/patience.py."""
    with deadlines(**patient()):
        yield


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database at the newest revision, emptied before each test that uses it."""
    if not TEST_DATABASE_URL:
        url = f"sqlite:///{tmp_path_factory.mktemp('database')}/migrated.db"
        migrate(url)
        return url
    url = asyncio.run(make_scratch_database(TEST_DATABASE_URL))
    migrate(url)
    return url


@pytest.fixture
def database_url(migrated_database: str) -> str:
    """An empty database."""
    empty_database(migrated_database)
    return migrated_database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Tables]:
    """A look at the rows that the application stored, on connections of the test's own."""
    tables = Tables(database_url)
    yield tables
    await tables.close()


@pytest.fixture(scope="session")
def settings_of_tests() -> dict[str, str]:
    """The settings as texts, by the names of the fields, all but the database."""
    return {
        "app_name": f"{REDIS_PREFIX}{secrets.token_hex(6)}",
        "environment": "test",
        "redis_url": TEST_REDIS_URL,
        "jwt_secret": secrets.token_urlsafe(48),
        "bcrypt_cost": "4",
        "rate_limit_auth": PLENTY,
        "rate_limit_password_reset": PLENTY,
        "rate_limit_general": PLENTY,
        "rate_limit_mailbox": PLENTY,
        "rate_limit_email_change": PLENTY,
        "log_level": "info",
    }


@pytest.fixture
def values(settings_of_tests: dict[str, str], database_url: str) -> dict[str, str]:
    """The settings of one test, for `load_settings` and for servers. Its limits are its own."""
    app_name = f"{settings_of_tests['app_name']}-{secrets.token_hex(4)}"
    return {**settings_of_tests, "app_name": app_name, "database_url": database_url}


@pytest.fixture
def make_settings(values: dict[str, str]) -> Callable[..., Settings]:
    """Settings for a test, with some changed: `make_settings(bcrypt_cost=5)`."""

    def make(**changes: Any) -> Settings:
        return load_settings(**{"_env_file": None, **values, **changes})

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture(scope="session")
async def shared_app(
    anyio_backend: str, settings_of_tests: dict[str, str], migrated_database: str
) -> AsyncIterator[FastAPI]:
    """Started once: FastAPI takes longer to build its routes than most tests take to run."""
    values = {**settings_of_tests, "database_url": migrated_database}
    async with running_app(load_settings(_env_file=None, **values)) as running:
        await services_of(running).outbox.close()
        yield running


@pytest.fixture
async def app(shared_app: FastAPI, database_url: str) -> AsyncIterator[FastAPI]:
    """The application with an empty database and nothing counted."""
    services = services_of(shared_app)
    await services.limiter.reset()
    start_mail(services)
    yield shared_app
    # Between tests the loop stands still: a mail under way would keep its locks.
    await services.outbox.close()
    await services.background.close()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(app) as connected:
        yield connected


@pytest.fixture
async def start(
    make_settings: Callable[..., Settings],
) -> AsyncIterator[Callable[..., Awaitable[FastAPI]]]:
    """Start the application with some settings changed: `app = await start(name=value)`."""
    async with AsyncExitStack() as stack:

        async def start_one(**changes: Any) -> FastAPI:
            return await stack.enter_async_context(running_app(make_settings(**changes)))

        yield start_one


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> Account:
    """A user, signed in."""
    return await register(client)


@pytest.fixture
async def admin(client: httpx.AsyncClient, database: Tables) -> Account:
    """An admin, signed in."""
    account = await register(client, "admin@example.com")
    await database.promote(account)
    return account


@pytest.fixture
def mailbox(app: FastAPI, capsys: pytest.CaptureFixture[str]) -> Mailbox:
    """What `app` has mailed."""
    return Mailbox(app, capsys)


@pytest.fixture
def serve(values: dict[str, str], tmp_path: Path) -> Serve:
    """Real servers: `async with serve(workers=2, bcrypt_cost="5") as server`."""

    def start_server(
        workers: int = 1,
        uds: Path | None = None,
        options: Sequence[str] = (),
        **changes: str,
    ) -> AbstractAsyncContextManager[Server]:
        return serving(tmp_path, values | changes, workers=workers, uds=uds, options=options)

    return start_server


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
