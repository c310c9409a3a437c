"""What happens between two steps of one request: someone else was faster, on purpose here.

`tests/test_races.py` races for real; here each order of events is made to happen.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Executable, delete, text, update

from app.accounts import administration, profile
from app.accounts.models import Role, Session, User
from app.accounts.sessions import Device, SessionUser, lock_user
from app.accounts.tokens import InvalidToken
from app.errors import AppError
from app.foundation.database import utc_now
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
    connect,
    error_code,
    is_signed_in,
    register,
    request_reset,
    reset_password,
    services_of,
    sign_in,
)
from tests.services import needs_postgresql

Meanwhile = Callable[[str, Callable[[], Awaitable[Any]]], None]


@pytest.fixture
def meanwhile(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Have something happen while a password is hashed or compared, once."""
    hasher = type(services_of(app).passwords)

    def arrange(step: str, happen: Callable[[], Awaitable[Any]]) -> None:
        work = getattr(hasher, step)

        async def work_and_more(self: Any, *arguments: Any) -> Any:
            result = await work(self, *arguments)
            monkeypatch.setattr(hasher, step, work)
            await happen()
            return result

        monkeypatch.setattr(hasher, step, work_and_more)

    return arrange


async def test_a_login_by_a_password_that_was_replaced_meanwhile_fails(
    client: httpx.AsyncClient, ada: Account, database: Tables, meanwhile: Meanwhile
) -> None:
    other = await register(client, "eve@example.com", OTHER_PASSWORD)
    new_hash = (await database.user(other.email)).password_hash
    reset = update(User).where(User.email == ada.email).values(password_hash=new_hash)
    meanwhile("verify", lambda: database.execute(reset))

    response = await client.post("/api/auth/login", json=ada.credentials)

    assert (response.status_code, error_code(response)) == (401, "invalid_credentials")
    assert len(await database.sessions()) == 2


async def test_a_login_of_a_user_who_was_deactivated_meanwhile_fails(
    client: httpx.AsyncClient, ada: Account, database: Tables, meanwhile: Meanwhile
) -> None:
    meanwhile("verify", lambda: database.execute(update(User).values(is_active=False)))

    response = await client.post("/api/auth/login", json=ada.credentials)

    assert (response.status_code, error_code(response)) == (401, "invalid_credentials")


async def test_a_change_of_a_password_that_was_replaced_meanwhile_fails(
    client: httpx.AsyncClient, ada: Account, database: Tables, meanwhile: Meanwhile
) -> None:
    other = await register(client, "eve@example.com", "Third-Password-9")
    new_hash = (await database.user(other.email)).password_hash
    reset = update(User).where(User.email == ada.email).values(password_hash=new_hash)
    meanwhile("hash", lambda: database.execute(reset))
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}

    response = await client.post("/api/users/me/change-password", json=body, headers=ada.headers)

    assert (response.status_code, error_code(response)) == (400, "wrong_password")
    assert "www-authenticate" not in response.headers
    assert await sign_in(client, password="Third-Password-9")


async def test_a_reset_token_that_was_used_meanwhile_is_used_up(
    client: httpx.AsyncClient,
    ada: Account,
    mailbox: Mailbox,
    meanwhile: Meanwhile,
    start: Callable[..., Any],
) -> None:
    """On another worker: on one, they would wait in line."""
    token = await request_reset(client, mailbox)
    worker = connect(await start())
    meanwhile("hash", lambda: reset_password(worker, token, "Third-Password-9"))

    response = await reset_password(client, token)

    assert (response.status_code, error_code(response)) == (400, "invalid_reset_token")
    assert await sign_in(client, password="Third-Password-9")


async def test_an_address_that_was_taken_meanwhile_is_a_409(
    client: httpx.AsyncClient, ada: Account, database: Tables, meanwhile: Meanwhile
) -> None:
    """The look before the hash saves work; the database decides."""
    take = update(User).values(email="new@example.com")
    meanwhile("hash", lambda: database.execute(take))

    body = {"email": "new@example.com", "password": PASSWORD}
    response = await client.post("/api/auth/register", json=body)

    assert (response.status_code, error_code(response)) == (409, "email_taken")
    assert len(await database.users()) == 1
    assert await is_signed_in(client, ada)


@pytest.mark.parametrize(
    "end",
    [
        update(Session).values(revoked_at=utc_now()),
        update(User).values(is_active=False),
        delete(Session),
        delete(User),
    ],
    ids=["signed out", "deactivated", "purged", "deleted"],
)
async def test_who_is_signed_out_meanwhile_does_not_change_the_password(
    client: httpx.AsyncClient, ada: Account, database: Tables, meanwhile: Meanwhile, end: Executable
) -> None:
    """A thief would have the last word, and sign the owner out."""
    meanwhile("hash", lambda: database.execute(end))
    before = await database.users()
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}

    response = await client.post("/api/users/me/change-password", json=body, headers=ada.headers)

    assert (response.status_code, error_code(response)) == (401, "invalid_token")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    hashes = {user.password_hash for user in before}
    assert {user.password_hash for user in await database.users()} <= hashes


async def test_another_device_that_is_signed_in_makes_no_difference(
    client: httpx.AsyncClient, ada: Account, database: Tables, meanwhile: Meanwhile
) -> None:
    [session] = await database.sessions()
    end = update(Session).where(Session.id == session.id).values(revoked_at=utc_now())
    phone = await sign_in(client)
    meanwhile("hash", lambda: database.execute(end))
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}

    response = await client.post("/api/users/me/change-password", json=body, headers=ada.headers)

    assert (response.status_code, error_code(response)) == (401, "invalid_token")
    assert await is_signed_in(client, phone)


@pytest.fixture
async def signed_in(ada: Account, database: Tables) -> SessionUser:
    """Ada as her request knew her when it came in."""
    row, [session] = await database.user(), await database.sessions()
    return SessionUser(row.id, row.email, row.name, row.role, row.created_at, session.id)


DEVICE = Device("192.0.2.1", None)


@pytest.mark.parametrize("end", [update(Session).values(revoked_at=utc_now()), delete(User)])
async def test_who_is_signed_out_meanwhile_does_not_change_the_profile(
    app: FastAPI, signed_in: SessionUser, database: Tables, end: Executable
) -> None:
    await database.execute(end)
    changes = {"email": "eve@example.com"}
    with pytest.raises(InvalidToken):
        await profile.update_profile(services_of(app), signed_in, changes, None, DEVICE)

    assert "eve@example.com" not in {user.email for user in await database.users()}


async def test_who_is_no_admin_any_more_changes_nobody(
    app: FastAPI, client: httpx.AsyncClient, signed_in: SessionUser, database: Tables
) -> None:
    eve = await register(client, "eve@example.com")

    with pytest.raises(AppError) as caught:
        await administration.update_user(
            services_of(app), UUID(eve.id), by=signed_in, role=Role.ADMIN
        )

    assert (caught.value.status_code, caught.value.code) == (403, "forbidden")
    assert (await database.user(eve.email)).role == "user"


@needs_postgresql
async def test_signing_out_waits_for_who_ends_the_same_sessions(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    """Both take the user's row first: with a session each, they would wait for each other."""
    phone = await sign_in(client)
    first, second = [
        update(Session).where(Session.id == row.id).values(revoked_at=utc_now())
        for row in await database.sessions()
    ]
    async with database.transaction() as everywhere:
        await lock_user(everywhere, UUID(ada.id))
        await everywhere.execute(second)
        body = {"refreshToken": phone.refresh_token}
        logout = asyncio.ensure_future(
            client.post("/api/auth/logout", json=body, headers=ada.headers)
        )
        await wait_until_locked_out(database, logout)
        await everywhere.execute(first)

    assert (await logout).status_code == 200


async def wait_until_locked_out(database: Tables, request: asyncio.Future[Any]) -> None:
    waiting = text(
        "SELECT 1 FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not request.done() and await database.fetch_one(waiting) is None:
        pass
