"""The refresh token in a cookie: where it goes, who may use it, and what stays as it was."""

from collections.abc import Callable
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.config import SettingsError
from tests.helpers import PASSWORD, connect, error_code

PAGE = "https://app.example.com"

ADA = {"email": "ada@example.com", "password": PASSWORD}

NAME = "__Host-refresh"

HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
async def cookie_app(start: Callable[..., Any]) -> FastAPI:
    app: FastAPI = await start(refresh_cookie="true", cors_origins=PAGE)
    return app


@pytest.fixture
def browser(cookie_app: FastAPI) -> httpx.AsyncClient:
    """What a page of ours has its browser send."""
    return connect(cookie_app, headers={"Origin": PAGE})


def cookie_of(response: httpx.Response) -> Morsel[str]:
    [header] = response.headers.get_list("set-cookie")
    cookies: SimpleCookie = SimpleCookie(header)
    return cookies[NAME]


async def sign_up(browser: httpx.AsyncClient) -> httpx.Response:
    response = await browser.post("/api/auth/register", json=ADA)
    assert response.status_code == 201
    return response


async def test_signing_in_sets_a_cookie_and_shows_no_refresh_token(
    browser: httpx.AsyncClient,
) -> None:
    for response in (
        await sign_up(browser),
        await browser.post("/api/auth/login", json=ADA),
        await browser.post("/api/auth/refresh", json={}),
    ):
        cookie = cookie_of(response)
        assert "refreshToken" not in response.json()
        assert response.json()["accessToken"]
        assert cookie["httponly"]
        assert cookie["secure"]
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Strict", "/", "")
        assert 7 * 86_400 - 5 <= int(cookie["max-age"]) <= 7 * 86_400
        assert response.headers["content-length"] == str(len(response.content))


async def test_refreshing_takes_the_cookie_and_turns_it(browser: httpx.AsyncClient) -> None:
    first = cookie_of(await sign_up(browser)).value

    refreshed = await browser.post(
        "/api/auth/refresh", headers={"Content-Type": "application/json"}
    )

    assert refreshed.status_code == 200, refreshed.text
    assert cookie_of(refreshed).value != first
    again = await browser.post("/api/auth/refresh", json={}, headers={"Cookie": f"{NAME}={first}"})
    assert (again.status_code, error_code(again)) == (401, "refresh_superseded")
    assert "set-cookie" not in again.headers  # the winner's cookie is the good one


async def test_signing_out_ends_session_and_cookie(browser: httpx.AsyncClient) -> None:
    signed_up = await sign_up(browser)
    old = cookie_of(signed_up).value

    response = await browser.post("/api/auth/logout", json={})

    assert (response.status_code, response.json()) == (200, {"message": "Logged out"})
    assert cookie_of(response)["max-age"] == "0"
    after = await browser.post("/api/auth/refresh", json={}, headers={"Cookie": f"{NAME}={old}"})
    assert (after.status_code, error_code(after)) == (401, "invalid_token")
    assert cookie_of(after)["max-age"] == "0"
    access = {"Authorization": f"Bearer {signed_up.json()['accessToken']}"}
    assert (await browser.get("/api/users/me", headers=access)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "https://app.example.com.evil.example"},
        {"Origin": ""},
        {"Content-Type": "text/plain"},
    ],
)
async def test_a_page_of_somebody_else_does_nothing_with_the_cookie(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await sign_up(browser)
    for path in ("/api/auth/refresh", "/api/auth/logout"):
        response = await browser.post(path, content=b"{}", headers=HEADERS | headers)
        assert response.status_code in {400, 403, 415}
        assert "set-cookie" not in response.headers
    assert (await browser.post("/api/auth/refresh", json={})).status_code == 200


async def test_who_does_not_say_which_page_asks_does_nothing_with_the_cookie(
    browser: httpx.AsyncClient, cookie_app: FastAPI
) -> None:
    """Every browser says so with a POST."""
    token = cookie_of(await sign_up(browser)).value
    silent = connect(cookie_app, headers={"Cookie": f"{NAME}={token}"})
    for path in ("/api/auth/refresh", "/api/auth/logout"):
        response = await silent.post(path, json={})
        assert response.status_code in {400, 401}
        assert "set-cookie" not in response.headers
    assert (await browser.post("/api/auth/refresh", json={})).status_code == 200


async def test_a_page_of_the_same_host_may(cookie_app: FastAPI) -> None:
    browser = connect(cookie_app, headers={"Origin": "https://api.example.com"})
    await sign_up(browser)

    assert (await browser.post("/api/auth/refresh", json={})).status_code == 200


async def test_a_client_without_cookies_names_the_token_itself(
    browser: httpx.AsyncClient, cookie_app: FastAPI
) -> None:
    token = cookie_of(await sign_up(browser)).value

    response = await connect(cookie_app).post("/api/auth/refresh", json={"refreshToken": token})

    assert response.status_code == 200


async def test_only_a_listed_origin_may_send_credentials(browser: httpx.AsyncClient) -> None:
    asks = {"Access-Control-Request-Method": "POST"}
    for origin, allowed in ((PAGE, "true"), ("https://evil.example.com", None)):
        for response in (
            await browser.options("/api/auth/login", headers=asks | {"Origin": origin}),
            await browser.get("/health", headers={"Origin": origin}),
        ):
            assert response.headers.get("access-control-allow-credentials") == allowed


async def test_what_is_no_json_object_is_refused_as_before(browser: httpx.AsyncClient) -> None:
    await sign_up(browser)
    for body in (b"[]", b"nonsense", b'"x"', b"{", b"[" * 5000):
        response = await browser.post("/api/auth/refresh", content=body, headers=HEADERS)
        assert response.status_code == 400
    large = await browser.post("/api/auth/refresh", content=b" " * 70_000, headers=HEADERS)
    assert (large.status_code, error_code(large)) == (413, "body_too_large")


async def test_refreshes_by_cookie_count_for_their_user(start: Callable[..., Any]) -> None:
    app = await start(refresh_cookie="true", cors_origins=PAGE, rate_limit_general="2/hour")
    browser = connect(app, headers={"Origin": PAGE})
    await sign_up(browser)

    statuses = []
    for number in range(3):
        elsewhere = connect(app, f"198.51.100.{number}", headers={"Origin": PAGE})
        elsewhere.cookies = browser.cookies
        statuses.append((await elsewhere.post("/api/auth/refresh", json={})).status_code)
        browser.cookies = elsewhere.cookies

    assert statuses == [200, 200, 429]


async def test_the_document_says_so(cookie_app: FastAPI) -> None:
    schemas = cookie_app.openapi()["components"]["schemas"]

    assert schemas["Tokens"]["required"] == ["accessToken"]
    assert "refreshToken" not in schemas["SignedIn"]["properties"]
    assert "refreshToken" not in schemas["RefreshInput"].get("required", [])


async def test_lax_is_a_choice(start: Callable[..., Any]) -> None:
    settings = {"refresh_cookie": "true", "refresh_cookie_samesite": "lax"}
    browser = connect(await start(**settings, cors_origins=PAGE), headers={"Origin": PAGE})

    assert cookie_of(await sign_up(browser))["samesite"] == "Lax"


async def test_not_every_origin_may_send_cookies(start: Callable[..., Any]) -> None:
    with pytest.raises(SettingsError, match="REFRESH_COOKIE: sends credentials"):
        await start(refresh_cookie="true", cors_origins="*")


async def test_unless_told_all_is_as_documented(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/auth/register", json=ADA)

    assert response.json()["refreshToken"]
    assert "set-cookie" not in response.headers
    assert "access-control-allow-credentials" not in response.headers
