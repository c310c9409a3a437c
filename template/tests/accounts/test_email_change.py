"""Changing the e-mail address: what EMAIL_CHANGE asks of who wants it."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.accounts.models import User
from app.config import load_settings
from app.foundation.checks.production import production_problems, production_warnings
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
    connect,
    error_code,
    refresh,
    register,
    request_reset,
)

NEW = "new@example.com"


async def change(
    client: httpx.AsyncClient, who: Account, email: str = NEW, **more: Any
) -> httpx.Response:
    return await client.patch("/api/users/me", json={"email": email, **more}, headers=who.headers)


@pytest.fixture(params=["password", "confirm"])
async def guarded(request: pytest.FixtureRequest, start: Callable[..., Any]) -> FastAPI:
    app: FastAPI = await start(email_change=request.param, rate_limit_account="3/hour")
    return app


async def test_by_default_the_session_is_enough(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await database.travel(minutes=11)

    assert (await change(client, ada)).json()["email"] == NEW


async def test_a_stolen_token_does_not_take_the_account_over(
    guarded: FastAPI, database: Tables
) -> None:
    client = connect(guarded)
    ada = await refresh(client, await register(client))
    await database.travel(minutes=11)

    refused = await change(client, ada, name="Mallory")

    assert (refused.status_code, error_code(refused)) == (403, "fresh_login_required")
    wrong = await change(client, ada, currentPassword=OTHER_PASSWORD)
    assert (wrong.status_code, error_code(wrong)) == (400, "wrong_password")
    user = await database.user()
    assert (user.email, user.name) == ("ada@example.com", "Ada Lovelace")
    # What is no change of address needs no proof.
    assert (await change(client, ada, "ADA@example.com", name="Ada")).status_code == 200


async def test_a_refresh_makes_no_session_young(guarded: FastAPI, database: Tables) -> None:
    client = connect(guarded)
    ada = await register(client)
    await database.travel(minutes=9)
    assert (await change(client, ada)).status_code == 200
    await database.travel(minutes=2)

    renewed = await refresh(client, ada)

    assert (await change(client, renewed, "third@example.com")).status_code == 403


async def test_tries_at_the_password_are_counted(guarded: FastAPI, database: Tables) -> None:
    client = connect(guarded)
    ada = await register(client)
    await database.travel(minutes=11)

    statuses = [
        (await change(client, ada, currentPassword=OTHER_PASSWORD)).status_code for _ in range(3)
    ]

    assert statuses == [400, 400, 429]
    assert (await change(client, ada, currentPassword=PASSWORD)).status_code == 429


async def test_the_password_is_proof_enough(start: Callable[..., Any], database: Tables) -> None:
    client = connect(await start(email_change="password"))
    ada = await register(client)
    await database.travel(minutes=11)

    response = await change(client, ada, currentPassword=PASSWORD)

    assert (response.status_code, response.json()["email"]) == (200, NEW)


@pytest.fixture
async def confirming(start: Callable[..., Any]) -> FastAPI:
    app: FastAPI = await start(email_change="confirm")
    return app


@pytest.fixture
def inbox(confirming: FastAPI, capsys: pytest.CaptureFixture[str]) -> Mailbox:
    return Mailbox(confirming, capsys)


async def links_to(inbox: Mailbox, address: str = NEW) -> list[str]:
    """The tokens of the links that were mailed there."""
    texts = [mail.text for mail in await inbox.mails() if mail.to == address]
    link = r"^http://localhost:3000/confirm-email#token=(\S+)$"
    return [token for text in texts for token in re.findall(link, text, re.MULTILINE)]


async def follow(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/api/auth/confirm-email", json={"token": token})


def is_refused(response: httpx.Response) -> bool:
    return (response.status_code, error_code(response)) == (400, "invalid_confirmation")


async def test_the_address_changes_once_its_link_is_followed(
    confirming: FastAPI, inbox: Mailbox, database: Tables
) -> None:
    client = connect(confirming)
    ada = await register(client)
    reset = await request_reset(client, inbox)

    asked = await change(client, ada, name="Countess")

    assert (asked.status_code, asked.json()["email"]) == (200, "ada@example.com")
    assert asked.json()["name"] == "Countess"
    [token] = await links_to(inbox)
    followed = await follow(client, token)
    assert (followed.status_code, followed.json()) == (200, {"message": "Email changed"})
    assert await database.user(NEW)
    told = {mail.to for mail in await inbox.mails() if "was changed" in mail.subject}
    assert told == {"ada@example.com", NEW}
    body = {"token": reset, "newPassword": OTHER_PASSWORD}
    assert (await client.post("/api/auth/reset-password", json=body)).status_code == 400
    assert is_refused(await follow(client, token))  # it works once


async def test_asking_does_not_tell_whether_an_address_is_taken(
    confirming: FastAPI, inbox: Mailbox
) -> None:
    client = connect(confirming)
    ada = await register(client)
    await register(client, "eve@example.com")

    taken, free = [await change(client, ada, email) for email in ("eve@example.com", NEW)]

    assert (taken.status_code, taken.content) == (free.status_code, free.content)
    assert await links_to(inbox, "eve@example.com") == []
    assert len(await links_to(inbox)) == 1


async def test_an_address_that_was_taken_meanwhile_stays_whose_it_is(
    confirming: FastAPI, inbox: Mailbox
) -> None:
    client = connect(confirming)
    await change(client, await register(client))
    [token] = await links_to(inbox)
    await register(client, NEW)

    late = await follow(client, token)

    assert (late.status_code, error_code(late)) == (409, "email_taken")


CHANGES: dict[str, Callable[[httpx.AsyncClient, Account], Any]] = {
    "the session ended": lambda client, ada: client.post(
        "/api/auth/logout", json={"refreshToken": ada.refresh_token}, headers=ada.headers
    ),
    "the password changed": lambda client, ada: client.post(
        "/api/users/me/change-password",
        json={"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD},
        headers=ada.headers,
    ),
}


@pytest.mark.parametrize("meanwhile", CHANGES)
async def test_a_link_is_void_after(
    confirming: FastAPI, inbox: Mailbox, database: Tables, meanwhile: str
) -> None:
    client = connect(confirming)
    ada = await register(client)
    await change(client, ada)
    [token] = await links_to(inbox)

    assert (await CHANGES[meanwhile](client, ada)).status_code == 200

    assert is_refused(await follow(client, token))
    assert await database.user()


async def test_a_link_lasts_an_hour_and_is_for_an_active_account(
    confirming: FastAPI, inbox: Mailbox, database: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(confirming)
    ada = await register(client)
    await change(client, ada)
    [token] = await links_to(inbox)
    await database.execute(update(User).values(is_active=False, updated_at=User.updated_at))
    assert is_refused(await follow(client, token))
    await database.execute(update(User).values(is_active=True, updated_at=User.updated_at))

    services = confirming.state.services
    claims = services.tokens.read(token, "ec+jwt")
    assert 3590 < (claims.expires_at - (await database.user()).created_at).total_seconds() <= 3605
    assert (await follow(client, token)).status_code == 200


async def test_no_other_token_confirms(confirming: FastAPI, inbox: Mailbox) -> None:
    client = connect(confirming)
    ada = await register(client)
    await change(client, ada)
    [token] = await links_to(inbox)

    for other in (ada.access_token, ada.refresh_token, "x", token[:-2] + "xx", "x" * 5000):
        assert is_refused(await follow(client, other))
    me = await client.get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
    again = await client.post("/api/auth/refresh", json={"refreshToken": token})
    assert (me.status_code, again.status_code) == (401, 401)


def test_production_advises_the_password_and_wants_a_page_for_links() -> None:
    def settings(**changes: str) -> Any:
        return load_settings(_env_file=None, jwt_secret="s" * 40, **changes)

    assert "EMAIL_CHANGE" in dict(production_warnings(settings()))
    assert "EMAIL_CHANGE" not in dict(production_warnings(settings(email_change="password")))
    confirm = {"email_change": "confirm"}
    assert "EMAIL_CHANGE_URL" in dict(production_problems(settings(**confirm)))
    page = {"email_change_url": "https://app.example.com/confirm"}
    assert "EMAIL_CHANGE_URL" not in dict(production_problems(settings(**confirm, **page)))
