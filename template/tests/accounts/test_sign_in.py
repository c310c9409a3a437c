"""Signing in: one answer for everybody who does not know the password, and few tries."""

from collections.abc import Callable
from typing import Any

import bcrypt
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.accounts.models import User
from app.accounts.passwords import PasswordHasher
from app.config import Settings
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
    reset_password,
    sign_in,
)

OFFICE = "198.51.100.7"


async def try_sign_in(
    client: httpx.AsyncClient, password: str = OTHER_PASSWORD, email: str = "ada@example.com"
) -> httpx.Response:
    return await client.post("/api/auth/login", json={"email": email, "password": password})


async def answers(client: httpx.AsyncClient) -> list[tuple[Any, ...]]:
    """What an unknown, a wrong and an inactive login get, all that a client can see of it."""
    tries = [
        {"email": "nobody@example.com", "password": PASSWORD},
        {"email": "ada@example.com", "password": OTHER_PASSWORD},
        {"email": "gone@example.com", "password": PASSWORD},
        {"email": "gone@example.com", "password": OTHER_PASSWORD},
        {"email": "nobody@example.com", "password": "x" * 80},
        {"email": "ada@example.com", "password": "x" * 80},
    ]
    responses = [await client.post("/api/auth/login", json=t) for t in tries]
    for response in responses:
        del response.headers["x-request-id"]
    return [(r.status_code, r.content, sorted(r.headers.items())) for r in responses]


async def test_unknown_wrong_and_inactive_are_answered_alike(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await register(client, "gone@example.com")
    gone = update(User).where(User.email == "gone@example.com").values(is_active=False)
    await database.execute(gone)

    first, *others = await answers(client)

    assert first[0] == 401
    assert others == [first] * len(others)


async def test_unknown_wrong_and_inactive_cost_the_same_work(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    database: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One bcrypt comparison at today's cost, whoever asks: so none is told by its time."""
    await register(client, "gone@example.com")
    gone = update(User).where(User.email == "gone@example.com").values(is_active=False)
    await database.execute(gone)
    work: list[str] = []
    compare = bcrypt.checkpw

    def record(password: bytes, hashed: bytes) -> bool:
        matches = compare(password, hashed)
        work.append(hashed[:7].decode())  # afterwards: what bcrypt refuses costs nothing
        return matches

    monkeypatch.setattr(bcrypt, "checkpw", record)
    await answers(client)

    assert work == ["$2b$04$"] * 6


async def test_a_hash_is_made_anew_when_its_cost_has_changed(
    client: httpx.AsyncClient, ada: Account, database: Tables, start: Callable[..., Any]
) -> None:
    stronger = connect(await start(bcrypt_cost=5))

    phone = await sign_in(stronger)

    user = await database.user()
    assert user.password_hash.startswith("$2b$05$")
    assert await sign_in(stronger)
    assert await database.user() == user  # once is enough
    assert await refresh(stronger, phone)
    assert await refresh(client, ada)  # nobody is signed out by it


FEW = 5


@pytest.fixture
async def guarded(start: Callable[..., Any]) -> FastAPI:
    """The application with a limit for accounts that a few guesses reach."""
    app: FastAPI = await start(rate_limit_account=f"{FEW}/hour")
    return app


async def guess(app: FastAPI, times: int, email: str = "ada@example.com") -> list[int]:
    """Wrong passwords, each from an address of its own."""
    return [
        (await try_sign_in(connect(app, f"203.0.113.{number}"), email=email)).status_code
        for number in range(times)
    ]


async def test_the_fiftieth_wrong_password_is_answered_429(start: Callable[..., Any]) -> None:
    app = await start()  # by the default, 50 an hour
    await register(connect(app, OFFICE))

    assert await guess(app, 49) == [401] * 49

    fiftieth = await try_sign_in(connect(app, "203.0.113.50"))
    assert (fiftieth.status_code, error_code(fiftieth)) == (429, "rate_limited")
    assert 3500 < int(fiftieth.headers["retry-after"]) <= 3600
    # The right one is not told from a wrong one any more, from an address that is new.
    right = await try_sign_in(connect(app, "203.0.113.51"), PASSWORD)
    wrong = await try_sign_in(connect(app, "203.0.113.52"))
    assert (right.status_code, wrong.status_code) == (429, 429)
    # The owner gets in from where the account was used before.
    assert await sign_in(connect(app, OFFICE))


async def test_the_owner_gets_in_from_another_address_of_the_same_ipv6_network(
    guarded: FastAPI,
) -> None:
    ada = await register(connect(guarded, "2001:db8:1:2::a"))
    await guess(guarded, FEW + 1)

    assert await sign_in(connect(guarded, "2001:db8:1:2:f00d::b"))
    neighbour = await try_sign_in(connect(guarded, "2001:db8:1:3::a"), ada.password)
    assert neighbour.status_code == 429


async def test_an_address_that_is_not_known_is_nobodys(guarded: FastAPI) -> None:
    """On a Unix socket that no proxy speaks for, it is that of every client, a guesser's too."""
    nowhere = connect(guarded, "")
    ada = await register(nowhere)
    await guess(guarded, FEW)

    assert (await try_sign_in(nowhere, ada.password)).status_code == 429


async def test_one_account_does_not_stand_for_another(guarded: FastAPI) -> None:
    await register(connect(guarded, OFFICE))
    await register(connect(guarded, OFFICE), "eve@example.com")

    await guess(guarded, FEW)

    assert await sign_in(connect(guarded, "203.0.113.99"), "eve@example.com")
    # An address that Eve knows is none that Ada knows.
    await register(connect(guarded, "203.0.113.98"), "mallory@example.com")
    locked = await try_sign_in(connect(guarded, "203.0.113.98"), PASSWORD)
    assert locked.status_code == 429


async def test_an_account_that_does_not_exist_is_throttled_alike(guarded: FastAPI) -> None:
    """Otherwise the 429 would tell who has an account."""
    statuses = await guess(guarded, FEW + 1, "nobody@example.com")

    assert statuses == [401] * (FEW - 1) + [429] * 2


async def test_an_inactive_account_is_throttled_alike(guarded: FastAPI, database: Tables) -> None:
    """Otherwise the right password would be told by its not being counted."""
    client = connect(guarded, OFFICE)
    await register(client)
    await database.execute(update(User).values(is_active=False))

    statuses = [(await try_sign_in(client, PASSWORD)).status_code for _ in range(FEW)]

    assert statuses == [401] * (FEW - 1) + [429]


async def test_right_passwords_are_not_counted(start: Callable[..., Any]) -> None:
    app = await start(rate_limit_account="3/hour")
    await register(connect(app, OFFICE))

    for _ in range(5):
        await sign_in(connect(app, OFFICE))
    assert await guess(app, 3) == [401, 401, 429]


async def test_spelling_the_address_otherwise_is_no_way_round(guarded: FastAPI) -> None:
    spellings = ["ADA@example.com", "ada@EXAMPLE.com", " ada@example.com", "ada@example.com\n"]
    assert len(spellings) == FEW - 1
    for number, spelling in enumerate(spellings):
        await try_sign_in(connect(guarded, f"203.0.113.{number}"), email=spelling)

    assert await guess(guarded, 1) == [429]


async def test_guessing_while_signed_in_counts_too(guarded: FastAPI) -> None:
    """Whoever has got hold of an access token shall not find the password with it."""
    client = connect(guarded, OFFICE)
    ada = await register(client)
    body = {"currentPassword": "Wrong-Horse-7", "newPassword": OTHER_PASSWORD}
    path = "/api/users/me/change-password"

    statuses = [
        (await client.post(path, json=body, headers=ada.headers)).status_code for _ in range(FEW)
    ]

    assert statuses == [400] * (FEW - 1) + [429]
    right = {**body, "currentPassword": PASSWORD}
    used_up = await client.post(path, json=right, headers=ada.headers)
    assert (used_up.status_code, error_code(used_up)) == (429, "rate_limited")
    eve = await register(client, "eve@example.com")
    assert (await client.post(path, json=right, headers=eve.headers)).status_code == 200


async def test_strangers_do_not_keep_the_owner_from_changing_the_password(
    guarded: FastAPI,
) -> None:
    ada = await register(connect(guarded, OFFICE))
    await guess(guarded, FEW + 1)
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}

    # On the train, signed in.
    response = await connect(guarded, "198.51.100.99").post(
        "/api/users/me/change-password", json=body, headers=ada.headers
    )

    assert response.status_code == 200


async def test_who_resets_the_password_gets_in_wherever_they_are(
    guarded: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    await register(connect(guarded, OFFICE))
    await guess(guarded, FEW + 1)
    train = connect(guarded, "198.51.100.99")
    assert (await try_sign_in(train, PASSWORD)).status_code == 429

    token = await request_reset(train, Mailbox(guarded, capsys))
    assert (await reset_password(train, token)).status_code == 200

    assert await sign_in(train, password=OTHER_PASSWORD)


async def test_without_limits_there_is_none_for_accounts(start: Callable[..., Any]) -> None:
    app = await start(rate_limit_enabled=False, rate_limit_account="1/hour")
    await register(connect(app, OFFICE))

    assert await guess(app, 5) == [401] * 5
    assert await sign_in(connect(app, "203.0.113.99"))


def test_the_stand_in_for_nobody_is_a_hash_of_todays_cost(settings: Settings) -> None:
    hasher = PasswordHasher(11)

    assert hasher.is_outdated("$2b$04$" + "." * 53)
    assert not hasher.is_outdated("$2b$11$" + "." * 53)
