"""Leaving: what goes, what stays, who can't go, and what happens beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    select,
)

from app.accounts import administration
from app.accounts.export import ROWS_AT_ONCE, tables_of_users
from app.accounts.messages import start_mail
from app.accounts.models import AccountEvent, PasswordReset, Session
from app.accounts.tokens import token_hash
from app.foundation.database import SECRET, AnyRow, Base
from tests.helpers import (
    ADDRESS,
    NOBODY,
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
    try_refresh,
)
from tests.live import Serve, mailed_token

ME = "/api/users/me"


async def leave(
    client: httpx.AsyncClient, who: Account, password: str = PASSWORD
) -> httpx.Response:
    body = {"currentPassword": password}
    return await client.request("DELETE", ME, json=body, headers=who.headers)


async def test_who_leaves_is_gone_with_everything(
    client: httpx.AsyncClient, ada: Account, database: Tables, mailbox: Mailbox
) -> None:
    phone = await sign_in(client)
    token = await request_reset(client, mailbox)

    response = await leave(client, ada)

    assert (response.status_code, response.json()) == (200, {"message": "Account deleted"})
    for device in (ada, phone):
        assert not await is_signed_in(client, device)
        assert (await try_refresh(client, device.refresh_token)).status_code == 401
    assert (await client.post("/api/auth/login", json=ada.credentials)).status_code == 401
    assert (await reset_password(client, token)).status_code == 400
    for table in (Session, PasswordReset):
        assert await database.fetch_all(select(table.id)) == []
    *_, mail = await mailbox.mails()
    assert (mail.to, "was deleted" in mail.subject) == (ada.email, True)


async def test_a_warning_that_waits_is_sent_although_its_account_is_gone(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    """A thief who moved the account deletes it next: its owner still hears of it."""
    await services_of(app).outbox.close()
    await client.patch("/api/users/me", json={"email": "thief@example.com"}, headers=ada.headers)
    assert (await leave(client, ada)).status_code == 200
    start_mail(services_of(app))

    [warning] = [mail for mail in await mailbox.mails() if mail.to == ada.email]
    assert "address was changed" in warning.subject


async def test_no_link_is_sent_of_an_account_that_is_gone(
    start: Callable[..., Any], capsys: pytest.CaptureFixture[str], database: Tables
) -> None:
    app = await start(email_change="confirm")
    client, mailbox = connect(app), Mailbox(app, capsys)
    ada = await register(client)
    await services_of(app).outbox.close()
    await client.post("/api/auth/forgot-password", json={"email": ada.email})
    await client.patch("/api/users/me", json={"email": "new@example.com"}, headers=ada.headers)
    assert (await leave(client, ada)).status_code == 200
    start_mail(services_of(app))

    [mail] = await mailbox.mails()
    assert (mail.to, "was deleted" in mail.subject) == (ada.email, True)
    assert await database.resets() == []


async def test_the_address_can_register_again(client: httpx.AsyncClient, ada: Account) -> None:
    await leave(client, ada)

    assert (await register(client)).id != ada.id


async def test_mail_under_way_is_not_sent(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    await services_of(app).outbox.close()
    await client.post("/api/auth/forgot-password", json={"email": ada.email})
    change = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}
    await client.post("/api/users/me/change-password", json=change, headers=ada.headers)

    await leave(client, ada, OTHER_PASSWORD)
    start_mail(services_of(app))

    [goodbye] = await mailbox.mails()
    assert "was deleted" in goodbye.subject


async def left_of(database: Tables, email: str) -> dict[str, AnyRow]:
    """What is kept of the account that had the address, by the names of the events."""
    theirs = AccountEvent.email_hash == token_hash(email)
    rows = await database.fetch_all(select(AccountEvent.__table__).where(theirs))
    return {row.event: row for row in rows}


async def test_what_happened_stays_and_names_nobody(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    eve = await register(client, "eve@example.com")
    await client.post("/api/auth/login", json=ada.credentials | {"password": OTHER_PASSWORD})
    await services_of(app).background.close()
    await client.post("/api/auth/logout", json={"refreshToken": "x"}, headers=ada.headers)
    assert {event.ip_address for event in await database.events(ada)} == {ADDRESS}

    await leave(client, await sign_in(client))

    left = await left_of(database, ada.email)
    assert set(left) == {
        *("auth.user_registered", "auth.login_failed", "auth.logged_out"),
        *("auth.login_succeeded", "auth.user_deleted"),
    }
    for row in left.values():
        assert (row.user_id, row.ip_address, row.user_agent) == (None, None, None)
        assert not any(word in str(tuple(row)) for word in (ada.id, ada.email, ADDRESS))
    [other] = await database.events(eve)
    assert (other.ip_address, other.email_hash) == (ADDRESS, None)


async def test_what_stays_is_nobodys_and_goes_after_90_days(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await leave(client, ada)
    again = await register(client)

    shown = (await client.get("/api/users/me/events", headers=again.headers)).json()
    exported = (await client.get(f"{ME}/export", headers=again.headers)).json()
    assert [event["event"] for event in shown["events"]] == ["auth.user_registered"]
    assert len(exported["accountEvents"]) == 1
    assert len(await left_of(database, ada.email)) == 2
    await database.travel(days=91)
    await administration.purge(services_of(app))
    assert await left_of(database, ada.email) == {}


async def test_who_deleted_an_account_is_known(
    client: httpx.AsyncClient, ada: Account, admin: Account, database: Tables
) -> None:
    await client.delete(f"/api/users/{ada.id}", headers=admin.headers)

    deleted = (await left_of(database, ada.email))["auth.user_deleted"]
    assert deleted.actor == f"admin {admin.id}"


async def test_leaving_takes_the_password(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    for wrong in ("", OTHER_PASSWORD):
        response = await leave(client, ada, wrong)
        assert (response.status_code, error_code(response)) == (400, "wrong_password")
        assert "www-authenticate" not in response.headers
    assert await is_signed_in(client, ada)
    assert await mailbox.mails() == []


async def test_leaving_needs_a_body(client: httpx.AsyncClient, ada: Account) -> None:
    response = await client.delete(ME, headers=ada.headers)

    assert (response.status_code, error_code(response)) == (400, "validation_failed")


async def test_the_last_admin_can_not_go(
    client: httpx.AsyncClient, ada: Account, admin: Account, database: Tables
) -> None:
    refused = await leave(client, admin, admin.password)
    assert (refused.status_code, error_code(refused)) == (409, "last_admin")
    assert await is_signed_in(client, admin)

    await database.promote(ada)

    assert (await leave(client, admin, admin.password)).status_code == 200


async def test_an_admin_deletes_others_and_not_themselves(
    client: httpx.AsyncClient, ada: Account, admin: Account, mailbox: Mailbox
) -> None:
    own = await client.delete(f"/api/users/{admin.id}", headers=admin.headers)
    assert (own.status_code, error_code(own)) == (409, "own_account")
    nobody = await client.delete(f"/api/users/{NOBODY}", headers=admin.headers)
    assert (nobody.status_code, error_code(nobody)) == (404, "not_found")
    forbidden = await client.delete(f"/api/users/{admin.id}", headers=ada.headers)
    assert (forbidden.status_code, error_code(forbidden)) == (403, "forbidden")

    response = await client.delete(f"/api/users/{ada.id}", headers=admin.headers)

    assert (response.status_code, response.json()) == (200, {"message": "User deleted"})
    assert not await is_signed_in(client, ada)
    [mail] = await mailbox.mails()
    assert mail.to == ada.email


async def test_an_export_has_everything_and_no_secret(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    eve = await register(client, "eve@example.com")

    response = await client.get(f"{ME}/export", headers=ada.headers)

    exported = response.json()
    assert response.headers["content-disposition"] == 'attachment; filename="export.json"'
    [user] = exported["users"]
    assert (user["email"], user["role"], user["id"]) == (ada.email, "user", ada.id)
    [session] = exported["refreshTokens"]
    assert session["ipAddress"] is not None
    for row in await database.users():
        assert row.password_hash not in response.text
    assert "Hash" not in response.text
    assert eve.id not in response.text
    assert eve.email not in response.text


async def test_an_export_has_every_row(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    [one] = [row._asdict() for row in await database.sessions()]
    many = [one | {"id": UUID(int=number)} for number in range(2 * ROWS_AT_ONCE)]
    async with database.transaction() as db:
        db.add_all([Session(**row) for row in many])

    exported: dict[str, Any] = (await client.get(f"{ME}/export", headers=ada.headers)).json()

    ids = [session["id"] for session in exported["refreshTokens"]]
    assert len(ids) == len(set(ids)) == 2 * ROWS_AT_ONCE + 1


@pytest.fixture
async def scans(database: Tables) -> AsyncIterator[Table]:
    """A table of a feature, of which the export knows nothing."""
    owner = ForeignKey("users.id", ondelete="CASCADE")
    columns = (Column("id", Integer, primary_key=True), Column("user_id", Uuid, owner))
    data = (Column("image", LargeBinary), Column("angle", Float), Column("key", Text, info=SECRET))
    table = Table("scans", Base.metadata, *columns, *data)
    async with database.engine.begin() as connection:
        await connection.run_sync(table.create)
    yield table
    async with database.engine.begin() as connection:
        await connection.run_sync(table.drop)
    Base.metadata.remove(table)


async def test_an_export_has_the_tables_of_features(
    client: httpx.AsyncClient, ada: Account, database: Tables, scans: Table
) -> None:
    """By their foreign key; also what JSON has no word for."""
    row = {"user_id": UUID(ada.id), "image": b"\xff\x00", "angle": float("inf"), "key": "s3cret"}
    await database.execute(scans.insert().values(id=1, **row))

    exported = (await client.get(f"{ME}/export", headers=ada.headers)).json()

    assert exported["scans"] == [
        {"id": 1, "userId": ada.id, "image": "_wA=", "angle": "Infinity"},
    ]


def test_who_refers_to_a_user_is_not_theirs() -> None:
    """A column such as `invited_by` in `users` itself."""
    metadata = MetaData()
    by = Column[UUID]("invited_by", ForeignKey("users.id"))
    Table("users", metadata, Column("id", Uuid, primary_key=True), by)
    Table("notes", metadata, Column("id", Uuid), Column("user_id", ForeignKey("users.id")))

    assert [table.name for table, _ in tables_of_users(metadata)] == ["users", "notes"]


@pytest.mark.race
async def test_nothing_outlives_the_account(serve: Serve, database: Tables) -> None:
    """Refresh, login, a reset and a second deletion beside it, on two workers."""
    async with serve(workers=2, environment="development") as server, server.client() as client:
        for number in range(3):
            ada = await register(client, f"ada{number}@example.com")
            login = client.post("/api/auth/login", json=ada.credentials)
            link = await mailed_token(client, server, ada.email)

            gone, again, refreshed, signed_in, reset = await asyncio.gather(
                leave(client, ada),
                leave(client, ada),
                try_refresh(client, ada.refresh_token),
                login,
                reset_password(client, link),
            )

            assert {gone.status_code, again.status_code} <= {200, 400, 401, 429}
            assert reset.status_code in {200, 400, 429}
            if 200 not in {gone.status_code, again.status_code}:  # the reset was first
                ada = await sign_in(client, ada.email, OTHER_PASSWORD)
                assert (await leave(client, ada, OTHER_PASSWORD)).status_code == 200
            assert refreshed.status_code in {200, 401}
            assert signed_in.status_code in {200, 401, 429}
            for response in (refreshed, signed_in):
                if response.status_code == 200:
                    token = response.json()["refreshToken"]
                    assert (await try_refresh(client, token)).status_code == 401
            assert error_code(await reset_password(client, link)) == "invalid_reset_token"
        nobodys = AccountEvent.user_id.is_(None) & AccountEvent.ip_address.is_not(None)
        rows = select(AccountEvent.event).where(nobodys | AccountEvent.user_id.is_not(None))
        assert await database.fetch_all(rows) == []


@pytest.mark.race
async def test_of_two_admins_who_leave_at_once_one_stays(serve: Serve, database: Tables) -> None:
    async with serve(workers=2) as server, server.client() as client:
        admins = [await register(client, f"{name}@example.com") for name in ("ada", "bob")]
        for one in admins:
            await database.promote(one)

        responses = await asyncio.gather(*[leave(client, one) for one in admins])

        assert sorted(response.status_code for response in responses) == [200, 409]
