"""Personal tokens: what they open, what they never open, and how they end."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.accounts import administration
from app.errors import Unavailable
from app.foundation.database import Database
from app.personal_tokens.format import LENGTH, is_well_formed, new_token
from app.personal_tokens.models import PersonalToken
from tests.helpers import (
    NOBODY,
    OTHER_PASSWORD,
    Account,
    Mailbox,
    Tables,
    bearer,
    connect,
    error_code,
    moment,
    register,
    request_reset,
    reset_password,
    services_of,
)
from tests.live import Serve

TOKENS = "/api/users/me/tokens"


async def make(client: httpx.AsyncClient, who: Account, **body: Any) -> dict[str, Any]:
    response = await client.post(TOKENS, json={"name": "CI"} | body, headers=who.headers)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def is_good(client: httpx.AsyncClient, token: str) -> bool:
    response = await client.get("/api/users/me", headers=bearer(token))
    assert response.status_code in {200, 401}
    return response.status_code == 200


async def test_a_script_signs_in_with_a_token(client: httpx.AsyncClient, ada: Account) -> None:
    made = await make(client, ada, name="GitHub Actions", expiresInDays=30)

    response = await client.get("/api/users/me", headers=bearer(made["token"]))

    assert (response.status_code, response.json()["id"]) == (200, ada.id)
    assert is_well_formed(made["token"])
    assert made["token"].startswith(made["prefix"])
    assert (made["name"], made["readOnly"], made["lastUsedAt"]) == ("GitHub Actions", False, None)
    assert moment(made["expiresAt"]) - moment(made["createdAt"]) == timedelta(days=30)


async def test_a_token_is_shown_once(client: httpx.AsyncClient, ada: Account) -> None:
    made = await make(client, ada)
    secret = made.pop("token")

    response = await client.get(TOKENS, headers=ada.headers)

    assert response.json() == {"tokens": [made]}
    assert secret not in response.text


async def test_a_copy_of_the_database_signs_nobody_in(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    made = await make(client, ada)

    assert made["token"][len(made["prefix"]) :] not in await database.dump()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"name": None},
        {"name": "x", "expiresInDays": 0},
        {"name": "x", "expiresInDays": 367},
        {"name": "x", "expiresInDays": True},
        {"name": "x", "expiresInDays": "30"},
        {"name": "x", "readOnly": "yes"},
        {"name": "x", "userId": NOBODY},
    ],
)
async def test_what_is_asked_for_is_checked(
    client: httpx.AsyncClient, ada: Account, body: dict[str, Any]
) -> None:
    response = await client.post(TOKENS, json=body, headers=ada.headers)

    assert (response.status_code, error_code(response)) == (400, "validation_failed")


async def test_a_read_only_token_reads(client: httpx.AsyncClient, ada: Account) -> None:
    token = bearer((await make(client, ada, readOnly=True))["token"])

    assert (await client.get("/api/users/me", headers=token)).status_code == 200
    assert (await client.head("/api/users/me", headers=token)).status_code == 200
    response = await client.patch("/api/users/me", json={"name": "Eve"}, headers=token)
    assert (response.status_code, error_code(response)) == (403, "forbidden")


async def test_a_token_writes_unless_it_is_read_only(
    client: httpx.AsyncClient, ada: Account
) -> None:
    token = bearer((await make(client, ada))["token"])

    response = await client.patch("/api/users/me", json={"name": "Ada King"}, headers=token)

    assert (response.status_code, response.json()["name"]) == (200, "Ada King")


async def test_no_token_takes_the_account_over(client: httpx.AsyncClient, ada: Account) -> None:
    made = await make(client, ada)
    passwords = {"currentPassword": ada.password, "newPassword": OTHER_PASSWORD}
    for method, path, body in (
        ("POST", TOKENS, {"name": "successor"}),
        ("GET", TOKENS, None),
        ("DELETE", f"{TOKENS}/{made['id']}", None),
        ("POST", "/api/users/me/change-password", passwords),
        ("PATCH", "/api/users/me", {"email": "eve@example.com"}),
        ("DELETE", "/api/users/me", {"currentPassword": ada.password}),
        ("GET", "/api/users/me/export", None),
    ):
        response = await client.request(method, path, json=body, headers=bearer(made["token"]))
        assert (response.status_code, error_code(response)) == (403, "fresh_login_required"), path
    assert await is_good(client, ada.access_token)


async def test_a_token_is_no_way_to_sign_out(client: httpx.AsyncClient, ada: Account) -> None:
    token = (await make(client, ada))["token"]

    response = await client.post(
        "/api/auth/logout", json={"refreshToken": "x"}, headers=bearer(token)
    )

    assert response.status_code == 401
    assert await is_good(client, ada.access_token)


async def test_a_token_of_an_admin_administers(client: httpx.AsyncClient, admin: Account) -> None:
    token = (await make(client, admin))["token"]

    assert (await client.get("/api/users", headers=bearer(token))).status_code == 200


async def test_a_token_that_is_revoked_is_over_at_once(
    client: httpx.AsyncClient, ada: Account
) -> None:
    made, other = await make(client, ada), await make(client, ada)

    response = await client.delete(f"{TOKENS}/{made['id']}", headers=ada.headers)

    assert (response.status_code, response.json()) == (200, {"message": "Token revoked"})
    assert not await is_good(client, made["token"])
    assert await is_good(client, other["token"])
    again = await client.delete(f"{TOKENS}/{made['id']}", headers=ada.headers)
    assert (again.status_code, error_code(again)) == (404, "not_found")


async def test_nobody_ends_or_sees_the_token_of_somebody_else(
    client: httpx.AsyncClient, ada: Account, admin: Account
) -> None:
    made = await make(client, ada)

    response = await client.delete(f"{TOKENS}/{made['id']}", headers=admin.headers)

    assert (response.status_code, error_code(response)) == (404, "not_found")
    assert (await client.get(TOKENS, headers=admin.headers)).json() == {"tokens": []}
    assert await is_good(client, made["token"])


async def test_a_token_expires(client: httpx.AsyncClient, ada: Account, database: Tables) -> None:
    made = await make(client, ada, expiresInDays=2)
    await database.travel(days=1)
    assert await is_good(client, made["token"])

    await database.travel(days=1, seconds=1)

    assert not await is_good(client, made["token"])


async def test_expired_tokens_are_purged(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await make(client, ada, expiresInDays=1)
    kept = await make(client, ada, expiresInDays=3)
    await database.travel(days=1, seconds=1)

    assert (await administration.purge(services_of(app)))["personalTokens"] == 1

    [row] = await database.fetch_all(select(PersonalToken.id))
    assert str(row.id) == kept["id"]


async def test_a_token_ends_for_good_when_its_user_is_deactivated(
    client: httpx.AsyncClient, ada: Account, admin: Account
) -> None:
    made = await make(client, ada)
    for is_active in (False, True):
        response = await client.patch(
            f"/api/users/{ada.id}", json={"isActive": is_active}, headers=admin.headers
        )
        assert response.status_code == 200
        assert not await is_good(client, made["token"])


async def test_a_reset_of_the_password_ends_tokens(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    """Somebody who had the account for a while may have made one."""
    made = await make(client, ada)

    response = await reset_password(client, await request_reset(client, mailbox))

    assert response.status_code == 200
    assert not await is_good(client, made["token"])


async def test_a_reset_leaves_tokens_where_its_owner_says_so(
    start: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    app = await start(personal_tokens_end_with_reset="false")
    client, mailbox = connect(app), Mailbox(app, capsys)
    ada = await register(client)
    made = await make(client, ada)

    response = await reset_password(client, await request_reset(client, mailbox))

    assert response.status_code == 200
    assert await is_good(client, made["token"])
    services = services_of(app)
    await administration.set_password(services, UUID(ada.id), OTHER_PASSWORD)
    assert await is_good(client, made["token"])
    await administration.update_user(services, UUID(ada.id), is_active=False)
    assert not await is_good(client, made["token"])


async def test_an_operator_who_sets_the_password_ends_tokens(
    app: FastAPI, client: httpx.AsyncClient, ada: Account
) -> None:
    made = await make(client, ada)

    await administration.set_password(services_of(app), UUID(ada.id), OTHER_PASSWORD)

    assert not await is_good(client, made["token"])


async def test_what_only_looks_like_a_token_is_none(
    client: httpx.AsyncClient, ada: Account
) -> None:
    good = (await make(client, ada))["token"]
    last = "0" if good[-1] != "0" else "1"
    for bad in (good[:-1] + last, good + "0", good[:-1], good.upper(), "authkit_pat_", good + "é"):
        raw = {b"Authorization": f"Bearer {bad}".encode("latin-1")}
        response = await client.get("/api/users/me", headers=raw)
        assert (response.status_code, error_code(response)) == (401, "invalid_token")
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert len(good) == LENGTH


async def test_last_used_costs_a_write_in_ten_minutes(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    made = await make(client, ada)

    async def last_used() -> Any:
        [row] = await database.fetch_all(select(PersonalToken.last_used_at))
        return row.last_used_at

    assert await is_good(client, made["token"])
    first = await last_used()
    assert first is not None
    assert await is_good(client, made["token"])
    assert await last_used() == first
    await database.travel(minutes=11)
    assert await is_good(client, made["token"])
    assert await last_used() >= first


async def test_a_token_reads_while_nothing_can_be_written(
    client: httpx.AsyncClient, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a session does: what is only nice to know locks nobody out."""
    made = await make(client, ada)

    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("the database")

    monkeypatch.setattr(Database, "execute", fail)

    assert await is_good(client, made["token"])


async def test_a_request_is_one_query(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a session; and no write, once it was used."""
    made = await make(client, ada)
    assert await is_good(client, made["token"])
    await services_of(app).outbox.close()  # the mail about the token has queries of its own
    asked: list[str] = []
    run = Database._run

    async def watched(self: Database, options: Any, statement: Any, *rest: Any) -> Any:
        asked.append(type(statement).__name__)
        return await run(self, options, statement, *rest)

    monkeypatch.setattr(Database, "_run", watched)
    for token in (ada.access_token, made["token"]):
        assert await is_good(client, token)

    assert asked == ["Select", "Select"]


@pytest.mark.race
async def test_of_twenty_at_the_ceiling_one_succeeds(serve: Serve) -> None:
    async with serve(workers=2) as server, server.client() as client:
        ada = await register(client)
        for _ in range(19):
            await make(client, ada)

        responses = await asyncio.gather(
            *[client.post(TOKENS, json={"name": "x"}, headers=ada.headers) for _ in range(20)]
        )

        codes = sorted(response.status_code for response in responses)
        assert codes == [201] + [409] * 19
        refused = next(response for response in responses if response.status_code == 409)
        assert error_code(refused) == "limit_reached"


async def test_its_requests_are_the_users_own(start: Callable[..., Any]) -> None:
    """Wherever they come from, and whether by session or by token."""
    app = await start(rate_limit_general="5/hour")
    ada = await register(connect(app))
    token = bearer((await make(connect(app), ada))["token"])
    for address, headers in (("1", token), ("2", ada.headers), ("3", token), ("4", token)):
        client = connect(app, f"198.51.100.{address}")
        assert (await client.get("/api/users/me", headers=headers)).status_code == 200

    response = await connect(app, "198.51.100.5").get("/api/users/me", headers=token)

    assert (response.status_code, error_code(response)) == (429, "rate_limited")


async def test_what_is_no_token_counts_against_the_address(start: Callable[..., Any]) -> None:
    client = connect(await start(rate_limit_general="3/hour"))
    forged = [new_token() for _ in range(4)]

    statuses = [(await client.get("/api/users/me", headers=bearer(t))).status_code for t in forged]

    assert statuses == [401, 401, 401, 429]
