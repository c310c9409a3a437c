"""Sessions: rotation, replay and every way a session ends (RFC 9700 §4.14.2, ASVS 5.0 7.4).

What a client may do afterwards is always asked over HTTP, with a request of its own: a revocation
that was not committed before its 401 would show.
"""

import hashlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, update

from app.accounts import administration
from app.accounts.models import Session, User
from app.accounts.sessions import opening
from app.foundation.database import Database
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
    connect,
    error_code,
    is_signed_in,
    refresh,
    register,
    request_reset,
    reset_password,
    services_of,
    sign_in,
    tokens_in,
    try_refresh,
)


async def is_ended(client: httpx.AsyncClient, account: Account) -> bool:
    """Tell whether neither token of a session works any more."""
    access = await is_signed_in(client, account)
    response = await try_refresh(client, account.refresh_token)
    assert response.status_code in {200, 401}
    assert access == (response.status_code == 200)
    return not access


async def test_a_replayed_token_ends_its_family_and_no_other(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    phone = await sign_in(client)
    renewed = await refresh(client, ada)
    await database.travel(seconds=11)

    replayed = await try_refresh(client, ada.refresh_token)

    assert (replayed.status_code, error_code(replayed)) == (401, "invalid_token")
    assert not await is_signed_in(client, renewed)  # the thief's or the owner's: both end
    assert (await try_refresh(client, renewed.refresh_token)).status_code == 401
    assert not await is_ended(client, phone)
    stolen, _ = await database.sessions()
    assert stolen.revoked_reason == "refresh_reused"


async def test_a_replay_within_ten_seconds_is_a_lost_race(
    client: httpx.AsyncClient,
    ada: Account,
    database: Tables,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two tabs that refresh at once: the slower one gets nothing, ends nothing, and is told so."""
    phone = await sign_in(client)
    renewed = await refresh(client, phone)
    await database.travel(seconds=8)
    before = await database.sessions()

    replayed = await try_refresh(client, phone.refresh_token)

    assert (replayed.status_code, error_code(replayed)) == (401, "refresh_superseded")
    assert replayed.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert await database.sessions() == before
    assert "auth.refresh_superseded" in capsys.readouterr().out
    assert not await is_ended(client, renewed)
    assert not await is_ended(client, ada)


HOME, AWAY = "198.51.100.7", "203.0.113.9"


@pytest.mark.parametrize(
    ("address", "agent"), [(HOME, "another/2.0"), (AWAY, "phone/1.0")], ids=["address", "agent"]
)
async def test_one_of_address_and_agent_is_enough_for_a_lost_race(
    app: FastAPI, address: str, agent: str
) -> None:
    """A phone changes its network between two requests, and an app is updated."""
    phone = connect(app, HOME, headers={"User-Agent": "phone/1.0"})
    ada = await register(phone)
    renewed = await refresh(phone, ada)

    replayed = await try_refresh(
        connect(app, address, headers={"User-Agent": agent}), ada.refresh_token
    )

    assert error_code(replayed) == "refresh_superseded"
    assert not await is_ended(phone, renewed)


async def test_two_addresses_of_one_ipv6_network_are_one(app: FastAPI) -> None:
    ada = await register(connect(app, "2001:db8::1", headers={"User-Agent": "a"}))
    await refresh(connect(app, "2001:db8::2", headers={"User-Agent": "b"}), ada)

    replayed = await try_refresh(
        connect(app, "2001:db8::3", headers={"User-Agent": "c"}), ada.refresh_token
    )

    assert error_code(replayed) == "refresh_superseded"


@pytest.mark.parametrize("grace", [0, 20])
async def test_a_replay_from_elsewhere_is_a_theft_however_fresh(
    start: Callable[..., Any], grace: int, capsys: pytest.CaptureFixture[str]
) -> None:
    app = await start(refresh_reuse_grace_seconds=grace)
    owner = connect(app, HOME, headers={"User-Agent": "phone/1.0"})
    thief = connect(app, AWAY, headers={"User-Agent": "curl/8"})
    ada = await register(owner)
    renewed = await refresh(owner, ada)

    stolen = await try_refresh(thief, ada.refresh_token)

    assert (stolen.status_code, error_code(stolen)) == (401, "invalid_token")
    assert await is_ended(owner, renewed)
    assert "auth.refresh_reused" in capsys.readouterr().out


@pytest.mark.parametrize("grace", [0, 20])
async def test_a_thief_who_is_faster_is_found_out_by_the_owner(
    start: Callable[..., Any], grace: int
) -> None:
    """The session has the thief's address and agent then, and the owner's try is from elsewhere."""
    app = await start(refresh_reuse_grace_seconds=grace)
    owner = connect(app, HOME, headers={"User-Agent": "phone/1.0"})
    thief = connect(app, AWAY, headers={"User-Agent": "curl/8"})
    ada = await register(owner)
    stolen = await refresh(thief, ada)

    assert error_code(await try_refresh(owner, ada.refresh_token)) == "invalid_token"

    assert await is_ended(thief, stolen)


async def test_an_unknown_address_and_no_agent_are_nobodys(app: FastAPI) -> None:
    """As on a Unix socket, where all clients would be one."""
    somebody = connect(app, "unknown", headers={"User-Agent": ""})
    ada = await register(somebody)
    renewed = await refresh(somebody, ada)

    assert error_code(await try_refresh(somebody, ada.refresh_token)) == "invalid_token"

    assert await is_ended(somebody, renewed)


async def test_a_session_follows_its_refreshes(app: FastAPI, database: Tables) -> None:
    ada = await register(connect(app, HOME, headers={"User-Agent": "phone/1.0"}))
    await database.travel(hours=1)
    [before] = await database.sessions()

    await refresh(connect(app, AWAY, headers={"User-Agent": "phone/1.1"}), ada)

    [after] = await database.sessions()
    assert (before.ip_address, before.user_agent) == (HOME, "phone/1.0")
    assert (after.ip_address, after.user_agent) == (AWAY, "phone/1.1")
    assert after.rotated_at > before.rotated_at
    assert after.created_at == before.created_at


async def test_the_parent_of_a_parent_is_stolen_however_fresh(
    client: httpx.AsyncClient, ada: Account
) -> None:
    second = await refresh(client, ada)
    third = await refresh(client, second)

    assert (await try_refresh(client, ada.refresh_token)).status_code == 401

    assert await is_ended(client, third)


async def test_an_old_token_ends_a_family_however_often_it_was_rotated(
    client: httpx.AsyncClient, ada: Account
) -> None:
    current = ada
    for _ in range(5):
        current = await refresh(client, current)

    await try_refresh(client, ada.refresh_token)

    assert await is_ended(client, current)


async def test_replaying_again_changes_nothing_more(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await refresh(client, await refresh(client, ada))
    await try_refresh(client, ada.refresh_token)
    before = await database.sessions()

    again = await try_refresh(client, ada.refresh_token)

    assert (again.status_code, error_code(again)) == (401, "invalid_token")
    assert await database.sessions() == before


@pytest.fixture
async def graceful(start: Callable[..., Any]) -> FastAPI:
    app: FastAPI = await start(refresh_reuse_grace_seconds=20)
    return app


async def test_within_the_grace_a_retry_gets_the_same_successor(
    graceful: FastAPI, database: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client that lost the answer is not signed out, and gets nothing that it had not got."""
    client = connect(graceful)
    ada = await register(client)
    renewed = await refresh(client, ada)
    before = await database.sessions()

    retried = await refresh(client, ada)

    assert retried.refresh_token == renewed.refresh_token
    assert "auth.refresh_superseded" in capsys.readouterr().out
    assert await is_signed_in(client, retried)
    assert await is_signed_in(client, renewed)
    assert await database.sessions() == before
    assert (await refresh(client, ada)).refresh_token == renewed.refresh_token
    assert await refresh(client, renewed)


async def test_after_the_grace_a_retry_is_a_theft(graceful: FastAPI, database: Tables) -> None:
    client = connect(graceful)
    ada = await register(client)
    renewed = await refresh(client, ada)
    await database.travel(seconds=21)

    assert (await try_refresh(client, ada.refresh_token)).status_code == 401

    assert await is_ended(client, renewed)


async def test_the_grace_is_not_for_grandparents(graceful: FastAPI) -> None:
    client = connect(graceful)
    ada = await register(client)
    second = await refresh(client, ada)
    third = await refresh(client, second)

    assert (await try_refresh(client, ada.refresh_token)).status_code == 401

    assert await is_ended(client, third)


async def test_a_session_that_ended_has_no_grace(graceful: FastAPI) -> None:
    client = connect(graceful)
    ada = await register(client)
    renewed = await refresh(client, ada)
    body = {"refreshToken": renewed.refresh_token}
    await client.post("/api/auth/logout", json=body, headers=renewed.headers)

    assert (await try_refresh(client, ada.refresh_token)).status_code == 401


async def test_a_new_secret_cannot_repeat_the_successor(
    graceful: FastAPI, start: Callable[..., Any], values: dict[str, str]
) -> None:
    """It would sign another one. The session lives on: its owner has the right one, or signs in."""
    client = connect(graceful)
    ada = await register(client)
    renewed = await refresh(client, ada)
    rotated = connect(
        await start(
            refresh_reuse_grace_seconds=20,
            jwt_secret="n" * 40,
            jwt_previous_secrets=values["jwt_secret"],
        )
    )

    assert (await try_refresh(rotated, ada.refresh_token)).status_code == 401
    assert await refresh(rotated, renewed)


async def test_a_family_ends_seven_days_after_login_whatever_its_rotations(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    current = ada
    for _ in range(3):
        await database.travel(days=2)
        current = await refresh(client, current)
    await database.travel(hours=23)
    current = await refresh(client, current)
    assert await is_signed_in(client, current)

    await database.travel(hours=1, minutes=1)

    assert await is_ended(client, current)


async def test_no_rotation_moves_the_end(
    client: httpx.AsyncClient, ada: Account, database: Tables, start: Callable[..., Any]
) -> None:
    """Nor does a longer REFRESH_TOKEN_DAYS: neither what is stored moves nor what is signed."""
    [before] = await database.sessions()

    renewed = await refresh(connect(await start(refresh_token_days=30)), ada)

    [after] = await database.sessions()
    assert after.expires_at == before.expires_at
    claims = jwt.decode(renewed.refresh_token, options={"verify_signature": False})
    assert claims["exp"] == before.expires_at.timestamp()


async def test_the_last_access_token_ends_with_its_session(start: Callable[..., Any]) -> None:
    """Not a quarter of an hour later."""
    client = connect(await start(access_token_minutes=24 * 60, refresh_token_days=1))

    ada = await refresh(client, await register(client))

    access, refreshing = (
        jwt.decode(token, options={"verify_signature": False})
        for token in (ada.access_token, ada.refresh_token)
    )
    assert access["exp"] == refreshing["exp"]


async def test_changing_the_password_ends_every_other_session(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    phone, eve = await sign_in(client), await register(client, "eve@example.com")

    await client.post(
        "/api/users/me/change-password",
        json={"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD},
        headers=ada.headers,
    )

    assert await is_ended(client, phone)
    assert not await is_ended(client, ada)
    assert not await is_ended(client, eve)
    reasons = [row.revoked_reason for row in await database.sessions()]
    assert reasons == [None, "password_changed", None]


async def test_resetting_the_password_ends_every_session(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    phone, eve = await sign_in(client), await register(client, "eve@example.com")

    await reset_password(client, await request_reset(client, mailbox))

    assert await is_ended(client, ada)
    assert await is_ended(client, phone)
    assert not await is_ended(client, eve)


async def test_a_password_set_by_an_operator_ends_every_session(
    client: httpx.AsyncClient, app: FastAPI, ada: Account, mailbox: Mailbox
) -> None:
    token = await request_reset(client, mailbox)

    await administration.set_password(services_of(app), UUID(ada.id), OTHER_PASSWORD)

    assert await is_ended(client, ada)
    assert (await reset_password(client, token)).status_code == 400
    assert await sign_in(client, password=OTHER_PASSWORD)


async def test_a_user_who_is_deactivated_is_out_on_the_next_request(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    """Even if somebody writes no more than the column."""
    await database.execute(update(User).values(is_active=False))

    assert not await is_signed_in(client, ada)
    assert (await try_refresh(client, ada.refresh_token)).status_code == 401


async def test_a_user_who_is_deleted_is_out_on_the_next_request(
    client: httpx.AsyncClient, ada: Account, database: Tables, mailbox: Mailbox
) -> None:
    token = await request_reset(client, mailbox)

    await database.execute(delete(User))

    assert not await is_signed_in(client, ada)
    assert (await try_refresh(client, ada.refresh_token)).status_code == 401
    assert (await reset_password(client, token)).status_code == 400
    assert await database.sessions() == await database.resets() == []


async def test_a_session_that_is_deleted_is_over(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await database.execute(delete(Session))

    assert await is_ended(client, ada)


async def test_expired_rows_are_purged_and_no_others(
    client: httpx.AsyncClient, app: FastAPI, ada: Account, database: Tables, mailbox: Mailbox
) -> None:
    await request_reset(client, mailbox)
    assert sum((await administration.purge(services_of(app))).values()) == 0
    await database.travel(days=8)
    phone = await sign_in(client)

    purged = await administration.purge(services_of(app))

    own = {"sessions": 1, "passwordResets": 1, "events": 0, "mails": 1}
    assert {name: count for name, count in purged.items() if name in own} == own
    assert not await is_ended(client, phone)
    assert len(await database.sessions()) == 1


async def test_a_purge_deletes_a_bounded_number_of_rows_at_once(
    client: httpx.AsyncClient,
    app: FastAPI,
    ada: Account,
    database: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However much has gathered, each transaction is done within its deadline."""
    for _ in range(6):
        await sign_in(client)
    await database.travel(days=8)
    monkeypatch.setattr(administration, "PURGED_AT_ONCE", 3)
    left: list[int] = []
    work = Database.execute

    async def watched(self: Database, *statement: Any) -> Any:
        deleted = await work(self, *statement)
        left.append(len(await database.sessions()))
        return deleted

    monkeypatch.setattr(Database, "execute", watched)
    purged = await administration.purge(services_of(app))

    assert (purged["sessions"], sum(purged.values())) == (7, 7)
    assert left[:3] == [4, 1, 0]


async def test_a_copy_of_the_database_signs_nobody_in(
    client: httpx.AsyncClient, ada: Account, database: Tables, mailbox: Mailbox
) -> None:
    renewed = await refresh(client, ada)
    reset_token = await request_reset(client, mailbox)

    dump = await database.dump()

    secrets = (ada.access_token, ada.refresh_token, renewed.access_token, renewed.refresh_token)
    for secret in (*secrets, *(s.rpartition(".")[2] for s in secrets), reset_token, PASSWORD):
        assert secret not in dump
    for secret in (ada.refresh_token, renewed.refresh_token, reset_token):
        assert hashlib.sha256(secret.encode()).hexdigest() in dump
    for row in (*await database.sessions(), *await database.resets()):
        for value in map(str, row):
            assert (await try_refresh(client, value or "x")).status_code == 401
            assert (await reset_password(client, value or "x")).status_code == 400
    assert await is_signed_in(client, renewed)
    assert tokens_in((await mailbox.mails())[0].text) == [reset_token]


async def test_the_session_used_longest_ago_makes_room(
    client: httpx.AsyncClient,
    ada: Account,
    database: Tables,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A client that signs in without end neither fills the table nor what others wait for."""
    monkeypatch.setattr(opening, "MAX_LIVE", 3)
    monkeypatch.setattr(opening, "MAX_ENDED", 4)
    eve = await register(client, "eve@example.com")
    await database.travel(minutes=3)
    phone, laptop = await sign_in(client), await sign_in(client)
    await database.travel(minutes=1)
    used = await refresh(client, ada)

    await sign_in(client)

    assert not await is_signed_in(client, phone)
    assert await is_signed_in(client, laptop)
    assert await is_signed_in(client, used)
    assert "auth.sessions_revoked" in capsys.readouterr().out
    for _ in range(12):
        await sign_in(client)
    rows = [row for row in await database.sessions() if str(row.user_id) == ada.id]
    assert len([row for row in rows if row.revoked_at is None]) == 3
    assert len(rows) == 3 + 4
    assert {row.revoked_reason for row in rows} == {None, "too_many_sessions"}
    assert await is_signed_in(client, eve)
