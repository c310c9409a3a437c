"""The signed-in user's sessions: listed, ended one by one, and ended all at once."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from tests.helpers import (
    ADDRESS,
    NOBODY,
    Account,
    Tables,
    bearer,
    connect,
    error_code,
    is_signed_in,
    moment,
    refresh,
    register,
    sign_in,
    try_refresh,
    with_tokens,
)
from tests.live import Serve

ENDPOINTS = [
    ("GET", "/api/users/me/sessions"),
    ("DELETE", f"/api/users/me/sessions/{NOBODY}"),
    ("POST", "/api/auth/logout-all"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_who_is_not_signed_in_has_no_sessions(
    client: httpx.AsyncClient, ada: Account, method: str, path: str
) -> None:
    for headers, code in (({}, "unauthenticated"), (bearer(ada.refresh_token), "invalid_token")):
        response = await client.request(method, path, headers=headers)
        assert (response.status_code, error_code(response)) == (401, code)
    allowed = "GET, HEAD" if method == "GET" else method
    for other in ("PUT", "OPTIONS"):
        response = await client.request(other, path)
        allowed = "GET, HEAD" if method == "GET" else method
        assert (response.status_code, response.headers["allow"]) == (405, allowed)


async def sessions_of(client: httpx.AsyncClient, who: Account) -> list[dict[str, Any]]:
    response = await client.get("/api/users/me/sessions", headers=who.headers)
    assert response.status_code == 200
    assert response.json().keys() == {"sessions"}
    sessions: list[dict[str, Any]] = response.json()["sessions"]
    return sessions


async def test_a_session_says_what_it_is_of(app: FastAPI) -> None:
    laptop = connect(app, headers={"User-Agent": "Laptop/1.0"})
    phone = connect(app, "2001:db8::1", headers={"User-Agent": "P" * 300})
    first = await register(laptop)
    second = await sign_in(phone)

    one, two = await sessions_of(phone, second)

    assert one.keys() == {
        "id",
        "createdAt",
        "lastUsedAt",
        "expiresAt",
        "userAgent",
        "ipAddress",
        "current",
    }
    assert (one["userAgent"], one["ipAddress"], one["current"]) == ("P" * 255, "2001:db8::1", True)
    assert (two["userAgent"], two["ipAddress"], two["current"]) == ("Laptop/1.0", ADDRESS, False)
    assert moment(one["createdAt"]) == moment(one["lastUsedAt"])
    lifetime = moment(one["expiresAt"]) - moment(one["createdAt"])
    assert abs(lifetime - timedelta(days=7)) <= timedelta(seconds=1)
    assert [s["current"] for s in await sessions_of(laptop, first)] == [False, True]


async def test_a_client_need_not_say_what_it_is(app: FastAPI) -> None:
    client = connect(app)
    del client.headers["User-Agent"]

    [session] = await sessions_of(client, await register(client))

    assert session["userAgent"] is None


async def test_a_session_is_where_it_was_used_last(app: FastAPI) -> None:
    """A phone goes home from the office, and gets an update there."""
    ada = await register(connect(app, "198.51.100.7", headers={"User-Agent": "Phone/1.0"}))
    home = connect(app, "203.0.113.9", headers={"User-Agent": "Phone/1.1"})

    [session] = await sessions_of(home, await refresh(home, ada))

    assert (session["ipAddress"], session["userAgent"]) == ("203.0.113.9", "Phone/1.1")
    assert moment(session["lastUsedAt"]) > moment(session["createdAt"])


async def test_refreshing_is_using_and_makes_no_new_session(
    client: httpx.AsyncClient, ada: Account
) -> None:
    [before] = await sessions_of(client, ada)

    [after] = await sessions_of(client, await refresh(client, ada))

    assert after.pop("lastUsedAt") > before.pop("lastUsedAt")
    assert after == before


async def test_only_live_sessions_of_ones_own_are_listed(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    eve = await register(client, "eve@example.com")
    await client.post(
        "/api/auth/logout", json={"refreshToken": "x"}, headers=(await sign_in(client)).headers
    )
    await database.travel(days=8)
    ada = await sign_in(client)

    assert [session["current"] for session in await sessions_of(client, ada)] == [True]
    assert await sessions_of(client, await sign_in(client, "eve@example.com"))
    assert not await is_signed_in(client, eve)


async def test_one_session_can_be_ended(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    phone = await sign_in(client)
    [other] = [session for session in await sessions_of(client, ada) if not session["current"]]
    path = f"/api/users/me/sessions/{other['id']}"

    response = await client.delete(path, headers=ada.headers)

    assert (response.status_code, response.json()) == (200, {"message": "Session revoked"})
    assert not await is_signed_in(client, phone)
    assert (await try_refresh(client, phone.refresh_token)).status_code == 401
    assert await is_signed_in(client, await refresh(client, ada))
    assert (await client.delete(path, headers=ada.headers)).status_code == 404
    assert [row.revoked_reason for row in await database.sessions()] == [None, "revoked_by_user"]


async def test_a_session_that_has_expired_can_not_be_ended(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    [old] = await sessions_of(client, ada)
    await database.travel(days=8)
    phone = await sign_in(client)

    response = await client.delete(f"/api/users/me/sessions/{old['id']}", headers=phone.headers)

    assert (response.status_code, error_code(response)) == (404, "not_found")


async def test_ones_current_session_can_be_ended(client: httpx.AsyncClient, ada: Account) -> None:
    [current] = await sessions_of(client, ada)

    await client.delete(f"/api/users/me/sessions/{current['id']}", headers=ada.headers)

    assert not await is_signed_in(client, ada)


async def test_nobody_ends_a_session_of_somebody_else(
    client: httpx.AsyncClient, ada: Account, admin: Account
) -> None:
    [session] = await sessions_of(client, ada)
    for path in (session["id"], str(uuid4())):
        response = await client.delete(f"/api/users/me/sessions/{path}", headers=admin.headers)
        assert response.status_code == 404
        assert response.json() == {
            "error": {"code": "not_found", "message": "You have no such session."}
        }
    assert await is_signed_in(client, ada)


@pytest.mark.parametrize("session_id", ["x", "7", "me", "%00", "'; --", "x" * 2000])
async def test_a_session_id_is_a_uuid(
    client: httpx.AsyncClient, ada: Account, session_id: str
) -> None:
    response = await client.delete(f"/api/users/me/sessions/{session_id}", headers=ada.headers)

    assert (response.status_code, error_code(response)) == (400, "validation_failed")
    assert response.json()["error"]["details"] == [
        {"field": "session_id", "message": "must be a UUID"}
    ]


async def test_logging_out_everywhere_ends_every_session_of_ones_own(
    client: httpx.AsyncClient, ada: Account
) -> None:
    phone = await sign_in(client)
    eve = await register(client, "eve@example.com")

    response = await client.post("/api/auth/logout-all", headers=ada.headers)

    assert (response.status_code, response.json()) == (200, {"message": "Logged out everywhere"})
    for device in (ada, phone):
        assert not await is_signed_in(client, device)
        assert (await try_refresh(client, device.refresh_token)).status_code == 401
    assert await is_signed_in(client, eve)


@pytest.mark.race
async def test_a_refresh_does_not_outlive_logging_out_everywhere(serve: Serve) -> None:
    async with serve(workers=2) as server, server.client() as client:
        ada = await register(client)
        devices = [ada, *[await sign_in(client) for _ in range(5)]]
        logout = client.post("/api/auth/logout-all", headers=ada.headers)

        *responses, out = await asyncio.gather(
            *[try_refresh(client, device.refresh_token) for device in devices], logout
        )

        assert out.status_code == 200
        for response in responses:
            if response.status_code == 200:
                renewed = with_tokens(ada, response)
                assert not await is_signed_in(client, renewed)
                assert (await try_refresh(client, renewed.refresh_token)).status_code == 401


async def test_the_list_is_paged(client: httpx.AsyncClient, ada: Account) -> None:
    for _ in range(4):
        await sign_in(client)
    everything = await sessions_of(client, ada)
    path = "/api/users/me/sessions"

    page = await client.get(f"{path}?limit=2&offset=1", headers=ada.headers)

    assert page.json() == {"sessions": everything[1:3]}
    for query in ("limit=0", "limit=101", "offset=-1", "offset=x", "page=2"):
        refused = await client.get(f"{path}?{query}", headers=ada.headers)
        assert (refused.status_code, error_code(refused)) == (400, "validation_failed")
