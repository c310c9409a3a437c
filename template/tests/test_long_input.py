"""A request can't hold up the others: what is long is refused before anything walks through it."""

import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any

import bcrypt
import httpx
import pytest
from fastapi import FastAPI

from app.accounts.passwords import MAX_BYTES, MAX_CODE_POINTS, normalise
from app.api.schemas import Input
from app.foundation.http.error_handlers import MAX_DETAILS
from app.foundation.http.request_head import MAX_ADDRESS, MAX_HEADERS
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    connect,
    error_code,
    request_reset,
    sign_in,
)

LONG = PASSWORD + "a" * 60_000
"""Plain letters: what matters is that nobody looks at them."""

TOO_LONG = {"field": "newPassword", "message": "must have at most 72 bytes in UTF-8"}


@pytest.fixture
def normalised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of each text that is normalised, by us or by a library."""
    lengths: list[int] = []
    real = unicodedata.normalize

    def spy(form: Any, text: str) -> str:
        lengths.append(len(text))
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", spy)
    return lengths


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What bcrypt compared."""
    passwords: list[bytes] = []
    real = bcrypt.checkpw

    def spy(password: bytes, stored: bytes) -> bool:
        passwords.append(password)
        return real(password, stored)

    monkeypatch.setattr(bcrypt, "checkpw", spy)
    return passwords


def details(response: httpx.Response) -> list[dict[str, str]]:
    assert (response.status_code, error_code(response)) == (400, "validation_failed")
    problems: list[dict[str, str]] = response.json()["error"]["details"]
    return problems


# Passwords


@pytest.mark.parametrize("too_long", [LONG, PASSWORD + "a" * (MAX_CODE_POINTS + 1 - len(PASSWORD))])
async def test_a_long_new_password_is_refused_and_not_normalised(
    client: httpx.AsyncClient,
    ada: Account,
    mailbox: Mailbox,
    normalised: list[int],
    too_long: str,
) -> None:
    token = await request_reset(client, mailbox)
    change = {"currentPassword": PASSWORD, "newPassword": too_long}
    normalised.clear()

    by_token = await client.post(
        "/api/auth/reset-password", json={"token": token, "newPassword": too_long}
    )
    signed_in = await client.post("/api/users/me/change-password", json=change, headers=ada.headers)
    assert (details(by_token), details(signed_in)) == ([TOO_LONG], [TOO_LONG])
    assert normalised == []

    body = {"email": "eve@example.com", "password": too_long}
    registered = await client.post("/api/auth/register", json=body)
    assert details(registered) == [{**TOO_LONG, "field": "password"}]
    assert max(normalised) < 100  # the address


async def test_a_long_password_is_wrong_and_not_normalised(
    client: httpx.AsyncClient, ada: Account, normalised: list[int], compared: list[bytes]
) -> None:
    """It costs the one comparison that any wrong password does, and looks the same."""
    wrong = await client.post("/api/auth/login", json={**ada.credentials, "password": "wrong"})
    assert compared == [b"wrong"]
    compared.clear()
    normalised.clear()

    login = await client.post("/api/auth/login", json={**ada.credentials, "password": LONG})
    assert (login.status_code, login.json()) == (401, wrong.json())
    assert max(normalised) < 100  # the address
    assert compared == [b""]

    normalised.clear()
    change = {"currentPassword": LONG, "newPassword": OTHER_PASSWORD}
    changed = await client.post("/api/users/me/change-password", json=change, headers=ada.headers)
    assert (changed.status_code, error_code(changed)) == (400, "wrong_password")
    assert normalised == [len(OTHER_PASSWORD)] * len(normalised)
    assert compared == [b"", b""]


async def test_the_longest_password_is_still_accepted(client: httpx.AsyncClient) -> None:
    """108 code points that come down to 72 bytes, as somebody types Vietnamese on a keyboard."""
    letters = "u\u031b\u0301"  # one letter of three bytes, typed as three code points
    password = "Aa7" + letters * ((MAX_BYTES - 3) // 3)
    assert len(normalise(password)) == MAX_BYTES
    body = {"email": "eve@example.com", "password": password}

    assert (await client.post("/api/auth/register", json=body)).status_code == 201
    assert await sign_in(client, "eve@example.com", unicodedata.normalize("NFC", password))


def test_no_longer_text_comes_down_to_what_bcrypt_reads() -> None:
    """NFKC gives composed characters: each stands for as many code points as it decomposes into."""
    per_byte = max(
        len(unicodedata.normalize("NFD", c)) / len(c.encode())
        for c in map(chr, range(0x110000))
        if not 0xD800 <= ord(c) <= 0xDFFF
    )
    assert MAX_BYTES * per_byte <= MAX_CODE_POINTS


# Other texts of a body


@pytest.mark.parametrize("email", ["a" * 60_000 + "@example.com", "a@" + "b" * 60_000 + ".com"])
async def test_a_long_address_is_refused_and_not_normalised(
    client: httpx.AsyncClient, ada: Account, normalised: list[int], email: str
) -> None:
    for path in ("register", "login", "forgot-password"):
        body = (
            {"email": email} if path == "forgot-password" else {**ada.credentials, "email": email}
        )
        response = await client.post(f"/api/auth/{path}", json=body)
        assert [problem["field"] for problem in details(response)] == ["email"]
    changed = await client.patch("/api/users/me", json={"email": email}, headers=ada.headers)
    assert [problem["field"] for problem in details(changed)] == ["email"]
    assert max(normalised, default=0) < 100  # the password beside it


async def test_a_long_reset_token_is_unknown(client: httpx.AsyncClient) -> None:
    body = {"token": "a" * 60_000, "newPassword": PASSWORD}
    response = await client.post("/api/auth/reset-password", json=body)
    assert (response.status_code, error_code(response)) == (400, "invalid_reset_token")


# Details


@pytest.mark.parametrize("count", [2, 4_000])
async def test_all_unknown_fields_are_one_detail(client: httpx.AsyncClient, count: int) -> None:
    unknown = {f"k{number}": 0 for number in range(count)}

    response = await client.post("/api/auth/login", json={"email": "no", **unknown})

    assert sorted(details(response), key=lambda problem: problem["field"]) == [
        {"field": "body", "message": "has a field that is not known here"},
        {"field": "email", "message": "must be an e-mail address"},
        {"field": "password", "message": "Field required"},
    ]


class Numbers(Input):
    """What an owner's endpoint may take."""

    numbers: list[int]


@pytest.mark.parametrize("count", [MAX_DETAILS, MAX_DETAILS + 1, 1000])
async def test_details_are_few_however_much_is_wrong(
    start: Callable[..., Awaitable[FastAPI]], count: int
) -> None:
    app = await start()

    @app.post("/numbers")
    async def take(body: Numbers) -> None: ...

    response = await connect(app).post("/numbers", json={"numbers": ["x"] * count})

    problems = details(response)
    assert len(problems) == MAX_DETAILS
    assert problems[0]["field"] == "numbers.0"
    if count > MAX_DETAILS:
        left_out = count - (MAX_DETAILS - 1)
        assert problems[-1] == {"field": "body", "message": f"has {left_out} more problems"}


# Address and headers


@pytest.mark.parametrize("address", ["/" + "a" * MAX_ADDRESS, "/health?k=" + "a" * MAX_ADDRESS])
async def test_a_long_address_is_a_414(client: httpx.AsyncClient, address: str) -> None:
    response = await client.get(address)

    assert (response.status_code, error_code(response)) == (414, "address_too_long")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "x-request-id" in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "a" * MAX_HEADERS},
        {"Cookie": "a=b; " * (MAX_HEADERS // 5)},
        {f"x-{number}": "" for number in range(MAX_HEADERS // 32)},
        {"Origin": "https://example.com", "Access-Control-Request-Headers": "a," * MAX_HEADERS},
    ],
)
async def test_long_or_many_headers_are_a_431(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for method in ("GET", "OPTIONS"):
        response = await client.request(method, "/health", headers=headers)
        assert (response.status_code, error_code(response)) == (431, "headers_too_large")


async def test_what_honest_clients_send_fits(client: httpx.AsyncClient) -> None:
    headers = {"User-Agent": "a" * 8_000, "Cookie": "a" * 8_000, "X-Forwarded-For": "a" * 8_000}
    response = await client.get("/health?k=" + "a" * 8_000, headers=headers)

    assert response.status_code == 200
