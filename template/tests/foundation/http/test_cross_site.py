"""What any page on the web can let its visitors' browsers send is refused, and costs no try."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.helpers import PASSWORD, connect, error_code, register

LOGIN = "/api/auth/login"
CREDENTIALS = {"email": "ada@example.com", "password": PASSWORD}
CROSS = {"Sec-Fetch-Site": "cross-site"}

# As browsers send them from a page of evil.example, without asking this API first.
FOREIGN = {
    "fetch no-cors": ("POST", LOGIN, {"Origin": "https://evil.example"} | CROSS),
    "an older browser": ("POST", LOGIN, {"Origin": "https://evil.example"}),
    "a page that says nothing of itself": ("POST", LOGIN, {"Origin": "null"}),
    "a page of the same domain": (
        "POST",
        LOGIN,
        {"Origin": "https://blog.example.com", "Sec-Fetch-Site": "same-site"},
    ),
    "no origin": ("POST", LOGIN, CROSS),
    "an image": ("GET", "/api/users/me", CROSS | {"Sec-Fetch-Dest": "image"}),
    "a frame": ("GET", "/nowhere", CROSS | {"Sec-Fetch-Dest": "iframe"}),
}


@pytest.fixture
async def strict(start: Callable[..., Any]) -> httpx.AsyncClient:
    """One try of each kind."""
    limits = {"rate_limit_auth": "1/hour", "rate_limit_general": "1/hour"}
    return connect(await start(cors_origins="https://app.example.net", **limits))


@pytest.mark.parametrize(("method", "path", "headers"), FOREIGN.values(), ids=FOREIGN)
async def test_another_site_uses_up_no_try_of_its_visitor(
    strict: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
) -> None:
    await register(strict)  # registering has a try of its own
    for _ in range(3):
        response = await strict.request(method, path, headers=headers)
        assert (response.status_code, error_code(response)) == (403, "cross_site_rejected")
        assert "access-control-allow-origin" not in response.headers

    assert (await strict.post(LOGIN, json=CREDENTIALS)).status_code == 200
    assert (await strict.get("/nowhere")).status_code == 404


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b'{"email": "a@b.co", "password": "x"}', 415),
        ("application/x-www-form-urlencoded", b"email=a", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        (None, b"x", 415),
        ("text/plain", b"x" * 70_000, 413),
    ],
)
async def test_what_is_refused_for_its_type_uses_up_no_try(
    strict: httpx.AsyncClient, content_type: str | None, body: bytes, status: int
) -> None:
    await register(strict)
    headers = {"Content-Type": content_type} if content_type else {}
    for path in (LOGIN, LOGIN, "/api/auth/refresh", "/api/auth/refresh"):
        response = await strict.post(path, content=body, headers=headers)
        assert response.status_code == status

    assert (await strict.post(LOGIN, json=CREDENTIALS)).status_code == 200


OURS = {
    "no browser": {},
    "this host's own page": {
        "Origin": "https://app.example.org",
        "Sec-Fetch-Site": "same-origin",
    },
    "an older browser, this host's own page": {"Origin": "https://api.example.com"},
    "behind TLS of a proxy": {"Origin": "http://api.example.com"},
    "an allowed origin of another site": {"Origin": "https://app.example.net"} | CROSS,
    "typed by a person": {"Sec-Fetch-Site": "none"},
}


@pytest.mark.parametrize("headers", OURS.values(), ids=OURS)
async def test_who_may_call_is_served(strict: httpx.AsyncClient, headers: dict[str, str]) -> None:
    await register(strict)

    response = await strict.post(LOGIN, json=CREDENTIALS, headers=headers)

    assert response.status_code == 200


async def test_a_link_and_a_token_come_from_anywhere(strict: httpx.AsyncClient) -> None:
    link = CROSS | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await strict.get("/nowhere", headers=link)).status_code == 404
    ada = await register(strict)
    assert (await strict.get("/api/users/me", headers=CROSS | ada.headers)).status_code == 200


async def test_any_origin_may_call_where_the_settings_say_so(start: Callable[..., Any]) -> None:
    client = connect(await start(cors_origins="*"))
    await register(client)

    headers = {"Origin": "https://anybody.example"} | CROSS
    assert (await client.post(LOGIN, json=CREDENTIALS, headers=headers)).status_code == 200
