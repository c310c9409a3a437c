"""Races, on a real server with two workers: what parallel requests must not achieve.

Afterwards nothing that was handed out may work beyond what policy says, whoever came first. With
TEST_DATABASE_URL the same races are run on PostgreSQL.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.helpers import (
    GIVE_UP_SECONDS,
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Tables,
    error_code,
    is_signed_in,
    migrate,
    refresh,
    register,
    reset_password,
    sign_in,
    tokens_in,
    try_refresh,
    with_tokens,
)
from tests.live import Server, mailed_token, server_process

pytestmark = pytest.mark.race

CROWD = 20
"""As many as ask at the same time."""


@pytest.fixture(scope="module")
def racing_database(migrated_database: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    if not migrated_database.startswith("sqlite"):
        return migrated_database
    url = f"sqlite:///{tmp_path_factory.mktemp('race')}/race.db"
    migrate(url)
    return url


@pytest.fixture(scope="module")
def server(
    racing_database: str,
    settings_of_tests: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """One server for all races; each race has users of its own."""
    directory: Path = tmp_path_factory.mktemp("server")
    values = {**settings_of_tests, "database_url": racing_database, "environment": "development"}
    with server_process(directory, values, workers=2) as running:
        asyncio.run(running.wait_until_healthy())
        yield running


@pytest.fixture
async def racing(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose connections are open already, so that requests arrive together."""
    async with server.client() as client:
        await together([client.get("/health") for _ in range(CROWD)])
        yield client


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.com"


@pytest.fixture
async def user(racing: httpx.AsyncClient, email: str) -> Account:
    return await register(racing, email)


async def together(requests: Sequence[Awaitable[httpx.Response]]) -> list[httpx.Response]:
    return await asyncio.gather(*requests)


def statuses(responses: list[httpx.Response]) -> list[int]:
    return sorted(response.status_code for response in responses)


def successes(responses: list[httpx.Response]) -> list[httpx.Response]:
    return [response for response in responses if response.is_success]


async def assert_ended(client: httpx.AsyncClient, account: Account) -> None:
    assert not await is_signed_in(client, account)
    assert (await try_refresh(client, account.refresh_token)).status_code == 401


def change_password(
    client: httpx.AsyncClient, account: Account, new_password: str = OTHER_PASSWORD
) -> Awaitable[httpx.Response]:
    body = {"currentPassword": PASSWORD, "newPassword": new_password}
    return client.post("/api/users/me/change-password", json=body, headers=account.headers)


def log_in(client: httpx.AsyncClient, account: Account) -> Awaitable[httpx.Response]:
    return client.post("/api/auth/login", json=account.credentials)


async def test_of_twenty_refreshes_one_succeeds_and_its_winner_lives(
    racing: httpx.AsyncClient, user: Account
) -> None:
    responses = await together([try_refresh(racing, user.refresh_token) for _ in range(CROWD)])

    assert statuses(responses) == [200] + [401] * (CROWD - 1)
    losers = [response for response in responses if not response.is_success]
    assert {error_code(loser) for loser in losers} == {"refresh_superseded"}
    winner = with_tokens(user, successes(responses)[0])
    assert await is_signed_in(racing, winner)
    assert await is_signed_in(racing, await refresh(racing, winner))


async def test_of_twenty_registrations_in_mixed_case_one_succeeds(
    racing: httpx.AsyncClient, email: str
) -> None:
    name, domain = email.split("@")
    spellings = [email, email.upper(), email.title(), f" {name}@{domain.upper()}"] * (CROWD // 4)
    bodies: list[dict[str, Any]] = [{"email": e, "password": PASSWORD} for e in spellings]

    responses = await together([racing.post("/api/auth/register", json=b) for b in bodies])

    assert statuses(responses) == [201] + [409] * (CROWD - 1)
    assert successes(responses)[0].json()["user"]["email"] == email
    assert await sign_in(racing, email)


async def test_of_twenty_resets_with_one_token_one_succeeds(
    racing: httpx.AsyncClient, server: Server, user: Account
) -> None:
    token = await mailed_token(racing, server, user.email)
    passwords = [f"{OTHER_PASSWORD}-{number}" for number in range(CROWD)]

    responses = await together([reset_password(racing, token, p) for p in passwords])

    assert statuses(responses) == [200] + [400] * (CROWD - 1)
    winner = passwords[responses.index(successes(responses)[0])]
    assert await sign_in(racing, user.email, winner)
    await assert_ended(racing, user)


async def test_of_parallel_changes_of_a_password_one_succeeds(
    racing: httpx.AsyncClient, user: Account
) -> None:
    passwords = [f"{OTHER_PASSWORD}-{number}" for number in range(8)]

    responses = await together([change_password(racing, user, p) for p in passwords])

    # On each of two workers one is tried at a time, and the others are told to come back.
    assert statuses(responses)[0] == 200
    assert set(statuses(responses)[1:]) <= {400, 429}
    winner = passwords[responses.index(successes(responses)[0])]
    assert await sign_in(racing, user.email, winner)


async def test_of_parallel_changes_to_one_address_one_succeeds(
    racing: httpx.AsyncClient, email: str
) -> None:
    users = [await register(racing, f"{number}-{email}") for number in range(8)]

    responses = await together(
        [racing.patch("/api/users/me", json={"email": email}, headers=u.headers) for u in users]
    )

    assert statuses(responses) == [200] + [409] * 7


async def test_a_refresh_does_not_outlive_a_logout(
    racing: httpx.AsyncClient, user: Account
) -> None:
    logout = racing.post(
        "/api/auth/logout", json={"refreshToken": user.refresh_token}, headers=user.headers
    )
    responses = await together([try_refresh(racing, user.refresh_token), logout])

    assert responses[1].status_code == 200
    await assert_ended(racing, user)
    for response in successes(responses[:1]):
        await assert_ended(racing, with_tokens(user, response))


async def test_a_refresh_does_not_outlive_a_logout_without_access(
    racing: httpx.AsyncClient, user: Account
) -> None:
    """With the refresh token that is being exchanged at the same time."""
    body = {"refreshToken": user.refresh_token}
    responses = await together(
        [try_refresh(racing, user.refresh_token), racing.post("/api/auth/logout", json=body)]
    )

    assert responses[1].status_code == 200
    for response in successes(responses[:1]):
        await assert_ended(racing, with_tokens(user, response))
    await assert_ended(racing, user)


async def test_a_refresh_does_not_outlive_a_change_of_password(
    racing: httpx.AsyncClient, user: Account
) -> None:
    others = [await sign_in(racing, user.email) for _ in range(6)]

    changed, *responses = await together(
        [change_password(racing, user), *[try_refresh(racing, o.refresh_token) for o in others]]
    )

    assert changed.status_code == 200
    for response in successes(responses):
        await assert_ended(racing, with_tokens(user, response))
    assert await is_signed_in(racing, user)


async def test_a_refresh_does_not_outlive_a_reset(
    racing: httpx.AsyncClient, server: Server, user: Account
) -> None:
    devices = [user, *[await sign_in(racing, user.email) for _ in range(5)]]
    token = await mailed_token(racing, server, user.email)

    reset, *responses = await together(
        [reset_password(racing, token), *[try_refresh(racing, d.refresh_token) for d in devices]]
    )

    assert reset.status_code == 200
    for response in successes(responses):
        await assert_ended(racing, with_tokens(user, response))


async def test_a_login_by_the_old_password_does_not_outlive_a_reset(
    racing: httpx.AsyncClient, server: Server, user: Account
) -> None:
    token = await mailed_token(racing, server, user.email)

    reset, *responses = await together(
        [reset_password(racing, token), *[log_in(racing, user) for _ in range(CROWD)]]
    )

    assert reset.status_code == 200
    assert set(statuses(responses)) <= {200, 401, 429}  # the line for one user has an end
    for response in successes(responses):
        await assert_ended(racing, with_tokens(user, response))
    assert await sign_in(racing, user.email, OTHER_PASSWORD)


async def test_a_login_by_the_old_password_does_not_outlive_a_change(
    racing: httpx.AsyncClient, user: Account
) -> None:
    changed, *responses = await together(
        [change_password(racing, user), *[log_in(racing, user) for _ in range(CROWD)]]
    )

    assert changed.status_code == 200
    for response in successes(responses):
        await assert_ended(racing, with_tokens(user, response))
    assert await is_signed_in(racing, user)


async def test_nothing_outlives_a_deactivation(
    racing: httpx.AsyncClient, user: Account, racing_database: str
) -> None:
    admin = await register(racing, f"admin-{user.email}")
    tables = Tables(racing_database)
    await tables.promote(admin)
    await tables.close()
    deactivate = racing.patch(
        f"/api/users/{user.id}", json={"isActive": False}, headers=admin.headers
    )

    gone, *responses = await together(
        [
            deactivate,
            *[log_in(racing, user) for _ in range(8)],
            try_refresh(racing, user.refresh_token),
        ]
    )

    assert gone.status_code == 200
    await assert_ended(racing, user)
    for response in successes(responses):
        await assert_ended(racing, with_tokens(user, response))


async def test_of_two_admins_who_unmake_each_other_one_remains(
    racing: httpx.AsyncClient, email: str, racing_database: str
) -> None:
    tables = Tables(racing_database)
    for attempt in range(5):
        admins = [await register(racing, f"{n}-{attempt}-{email}") for n in range(2)]
        for admin in admins:
            await tables.promote(admin)
        unmake = [
            racing.patch(f"/api/users/{other.id}", json={"role": "user"}, headers=admin.headers)
            for admin, other in zip(admins, reversed(admins), strict=True)
        ]

        assert statuses(await together(unmake)) == [200, 403]
    await tables.close()


async def test_of_twenty_requests_five_mail_a_link_and_one_of_them_is_used(
    racing: httpx.AsyncClient, server: Server, user: Account, racing_database: str
) -> None:
    """No request voids the link of another, whichever worker writes it; the use of one does."""
    ask = [
        racing.post("/api/auth/forgot-password", json={"email": user.email}) for _ in range(CROWD)
    ]
    assert statuses(await together(ask)) == [200] * CROWD
    tables = Tables(racing_database)
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while any(m.not_before for m in await tables.mails() if m.recipient == user.email):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await tables.close()
    mail = rf"^To: {user.email}\n.*?^-{{72}}$"
    found = re.findall(mail, server.log, re.MULTILINE | re.DOTALL)
    tokens = [token for text in found for token in tokens_in(text)]
    assert len(set(tokens)) == 5

    responses = await together([reset_password(racing, token) for token in tokens])

    assert statuses(responses) == [200] + [400] * 4
