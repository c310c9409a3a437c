"""What tests do again and again: start, connect, register, sign in, look, travel, read mail."""

import asyncio
import os
import re
import secrets
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlalchemy import DateTime, Table, bindparam, orm, select, update

from app.accounts.key_rings import KeyRing, secret_key
from app.accounts.models import AccountEvent, PasswordReset, Role, Session, User
from app.accounts.tokens import TokenSigner
from app.application import create_app
from app.config import Settings
from app.foundation.database import AnyRow, Base, Database, driver_url, utc_now
from app.foundation.mail import QueuedMail
from app.foundation.mail.queue import LEASE
from app.services import Services

ROOT = Path(__file__).parents[1]

RUN = os.environ.setdefault("TEST_RUN_ID", secrets.token_hex(6))
"""In the name of what this run makes on servers; the processes it is shared out to inherit it."""

PASSWORD = "Correct-Horse-7"
OTHER_PASSWORD = "Battery-Staple-8"

GIVE_UP_SECONDS = 120.0
"""Only so that a test which fails also ends: on a busy machine everything takes its time."""

NOBODY = "6f1f8c1e-2d0b-4c1e-9a53-0b7a1f2c3d4e"
"""An id that no row has; a fixed one, for tests that run in several processes need fixed names."""

ADDRESS = "192.0.2.1"
"""Where requests come from unless a test says otherwise."""


@asynccontextmanager
async def running_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application that ships, started as a server starts it, and stopped at the end."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


def connect(app: FastAPI, address: str = ADDRESS, **options: Any) -> httpx.AsyncClient:
    """A client that comes from an address. It holds nothing that would have to be closed."""
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    # Not trusting the environment also saves a TLS context for each proxy named there.
    return httpx.AsyncClient(
        transport=transport, base_url="https://api.example.com", trust_env=False, **options
    )


def add_module(patch: pytest.MonkeyPatch, package: ModuleType, file: Path) -> None:
    """Let a package hold one more module, as if its file were there, until the test ends."""
    patch.setattr(package, "__path__", [*package.__path__, str(file.parent)])
    patch.setattr(package, file.stem, None, raising=False)
    patch.setitem(sys.modules, f"{package.__name__}.{file.stem}", ModuleType("replaced"))
    patch.delitem(sys.modules, f"{package.__name__}.{file.stem}")


def services_of(app: FastAPI) -> Services:
    services: Services = app.state.services
    return services


def signer_with(secret: str) -> TokenSigner:
    """What reads tokens, with one secret for both kinds."""
    ring = KeyRing(secret_key(secret))
    return TokenSigner(access=ring, refresh=ring, issuer="app", audience="app")


@dataclass(frozen=True)
class Account:
    """Somebody who is signed in on one device."""

    id: str
    email: str
    password: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.access_token)

    @property
    def credentials(self) -> dict[str, str]:
        return {"email": self.email, "password": self.password}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def register(
    client: httpx.AsyncClient, email: str = "ada@example.com", password: str = PASSWORD
) -> Account:
    body = {"email": email, "password": password, "name": "Ada Lovelace"}
    response = await client.post("/api/auth/register", json=body)
    assert response.status_code == 201, response.text
    return _account(response, email, password)


async def sign_in(
    client: httpx.AsyncClient, email: str = "ada@example.com", password: str = PASSWORD
) -> Account:
    response = await client.post("/api/auth/login", json={"email": email, "password": password})
    assert response.status_code == 200, response.text
    return _account(response, email, password)


def _account(response: httpx.Response, email: str, password: str) -> Account:
    body = response.json()
    tokens = (body["accessToken"], body["refreshToken"])
    return Account(body["user"]["id"], email, password, *tokens)


async def refresh(client: httpx.AsyncClient, account: Account) -> Account:
    """Exchange the refresh token; returns the account with its new pair."""
    response = await try_refresh(client, account.refresh_token)
    assert response.status_code == 200, response.text
    return with_tokens(account, response)


def with_tokens(account: Account, response: httpx.Response) -> Account:
    body = response.json()
    return replace(account, access_token=body["accessToken"], refresh_token=body["refreshToken"])


async def try_refresh(client: httpx.AsyncClient, refresh_token: str) -> httpx.Response:
    return await client.post("/api/auth/refresh", json={"refreshToken": refresh_token})


async def is_signed_in(client: httpx.AsyncClient, account: Account) -> bool:
    """Tell whether the access token works."""
    response = await client.get("/api/users/me", headers=account.headers)
    assert response.status_code in {200, 401}, response.text
    return response.status_code == 200


def moment(text: str) -> datetime:
    """Read a timestamp, which must be of the one format, and new or in the future."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text), text
    read = datetime.fromisoformat(text)
    assert read > datetime.now(UTC) - timedelta(minutes=1)
    return read


def error_code(response: httpx.Response) -> str:
    """The code of an answer that must be an error in the one format."""
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error"}
    error = response.json()["error"]
    assert {"code", "message"} <= error.keys() <= {"code", "message", "details"}
    return str(error["code"])


class Tables(Database):
    """The rows, beside the application: look at them, age them, make an admin."""

    async def user(self, email: str = "ada@example.com") -> AnyRow:
        row = await self.fetch_one(select(User.__table__).where(User.email == email))
        assert row is not None
        return row

    async def users(self) -> Sequence[AnyRow]:
        return await self.fetch_all(select(User.__table__).order_by(User.created_at))

    async def sessions(self) -> Sequence[AnyRow]:
        return await self.fetch_all(select(Session.__table__).order_by(Session.created_at))

    async def mails(self) -> Sequence[AnyRow]:
        return await self.fetch_all(select(QueuedMail.__table__).order_by(QueuedMail.created_at))

    async def resets(self) -> Sequence[AnyRow]:
        table = PasswordReset.__table__
        return await self.fetch_all(select(table).order_by(PasswordReset.created_at))

    async def events(self, account: Account) -> Sequence[AnyRow]:
        """What is kept of an account's events, the first first."""
        events = select(AccountEvent.__table__).where(AccountEvent.user_id == UUID(account.id))
        return await self.fetch_all(events.order_by(AccountEvent.created_at))

    async def promote(self, account: Account) -> None:
        await self.execute(update(User).where(User.email == account.email).values(role=Role.ADMIN))

    async def travel(self, **duration: float) -> None:
        """Make everything that is stored older: `await database.travel(days=7)`."""
        for table in Base.metadata.sorted_tables:
            async with self.transaction() as db:
                await db.run_sync(_make_older, table, timedelta(**duration))

    async def dump(self) -> str:
        """Every value of every table, as a thief of the database would read it."""
        rows = [await self.fetch_all(select(table)) for table in Base.metadata.sorted_tables]
        return "\n".join(str(tuple(row)) for table in rows for row in table)


def _make_older(db: orm.Session, table: Table, by: timedelta) -> None:
    moments = [column for column in table.columns if _is_moment(column)]
    older = [
        {
            name: value - by if isinstance(value, datetime) else value
            for name, value in row._mapping.items()
        }
        for row in db.execute(select(table.c.id.label("row"), *moments))
    ]
    if older:
        db.execute(update(table).where(table.c.id == bindparam("row")), older)


def _is_moment(column: Any) -> bool:
    return isinstance(getattr(column.type, "impl", column.type), DateTime)


def migrate(url: str, revision: str = "head") -> None:
    command.upgrade(alembic_config(url), revision)


def alembic_config(url: str) -> Config:
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["url"] = url
    return config


async def make_scratch_database(neighbour: str) -> str:
    """Create a database on the server of another one; returns its URL."""
    name = f"scratch_{RUN}_{secrets.token_hex(6)}"
    async with _postgresql(neighbour) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
        # What a test commits need not outlive the machine: a commit waits for the disk otherwise.
        await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    return urlsplit(neighbour)._replace(scheme="postgresql", path=f"/{name}").geturl()


async def drop_scratch_databases(neighbour: str) -> None:
    """Drop those that this run has made."""
    ours = f"SELECT datname FROM pg_database WHERE datname LIKE 'scratch\\_{RUN}\\_%'"  # noqa: S608
    async with _postgresql(neighbour) as connection:
        names = [name for (name,) in await connection.fetch(ours)]
    statements = [f"DROP DATABASE {name} WITH (FORCE)" for name in names]
    for few in range(0, len(statements), 5):
        # Together: for each one, the server first writes all to the disk that is not there yet.
        await asyncio.gather(*(_execute(neighbour, drop) for drop in statements[few : few + 5]))


def empty_database(url: str) -> None:
    # The other tables cascade.
    statements = ("DELETE FROM mails", "DELETE FROM account_events", "DELETE FROM users")
    if url.startswith("postgresql"):
        assert "/scratch_" in url
        asyncio.run(_execute(url, ";".join(statements)))
        return
    with closing(
        sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    ) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for statement in statements:
            connection.execute(statement)


async def _execute(url: str, statement: str) -> None:
    async with _postgresql(url) as connection:
        await connection.execute(statement)


@asynccontextmanager
async def _postgresql(url: str) -> AsyncIterator[Any]:
    dsn = urlsplit(url)._replace(scheme="postgresql").geturl()
    # Nothing is prepared, so that it may be the URL of a pooler.
    connection = await asyncpg.connect(
        driver_url(dsn), timeout=GIVE_UP_SECONDS, statement_cache_size=0
    )
    try:
        yield connection
    finally:
        await connection.close()


@dataclass(frozen=True)
class ReceivedMail:
    to: str
    subject: str
    text: str


_MAIL = re.compile(
    r"^-{72}\nTo: ([^\n]*)\nSubject: ([^\n]*)\n\n(.*?)\n-{72}$", re.MULTILINE | re.DOTALL
)


async def all_mailed(services: Services) -> None:
    """Wait until no mail is due, nor under way."""
    soon = select(QueuedMail.id).where(QueuedMail.not_before < utc_now() + 2 * LEASE)
    while await services.database.fetch_one(soon):  # noqa: ASYNC110 - only the table tells
        await asyncio.sleep(0.002)


class Mailbox:
    """What the application has mailed: on the console, as in development."""

    def __init__(self, app: FastAPI, capsys: pytest.CaptureFixture[str]) -> None:
        self.services = services_of(app)
        self._capsys = capsys
        self._mails: list[ReceivedMail] = []

    async def mails(self) -> list[ReceivedMail]:
        """All mails so far, in no order that means anything; waits for those under way."""
        await all_mailed(self.services)
        self._mails += [
            ReceivedMail(*mail) for mail in _MAIL.findall(self._capsys.readouterr().out)
        ]
        return self._mails

    async def reset_token(self) -> str:
        """The token of the newest reset link."""
        return [token for mail in await self.mails() for token in tokens_in(mail.text)][-1]


def tokens_in(text: str) -> list[str]:
    return re.findall(r"#token=([\w-]+)$", text, re.MULTILINE)


async def request_reset(
    client: httpx.AsyncClient, mailbox: Mailbox, email: str = "ada@example.com"
) -> str:
    """Ask for a reset link and return its token."""
    response = await client.post("/api/auth/forgot-password", json={"email": email})
    assert response.status_code == 200, response.text
    return await mailbox.reset_token()


async def reset_password(
    client: httpx.AsyncClient, token: str, new_password: str = OTHER_PASSWORD
) -> httpx.Response:
    body = {"token": token, "newPassword": new_password}
    return await client.post("/api/auth/reset-password", json=body)
