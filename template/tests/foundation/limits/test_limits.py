"""Limits: exactly as many as they say, counted where they should be, with no way round."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.accounts import passwords
from app.foundation.limits.routes import SITE_FACTOR
from tests.helpers import (
    PASSWORD,
    bearer,
    connect,
    error_code,
    is_signed_in,
    refresh,
    register,
    sign_in,
    try_refresh,
)

CONTRACT = {
    "rate_limit_auth": "5/15 minutes",
    "rate_limit_password_reset": "3/hour",
    "rate_limit_general": "100/15 minutes",
}

BODIES = {
    "/api/auth/register": {"email": "eve@example.com", "password": "weak"},
    "/api/auth/login": {"email": "eve@example.com", "password": PASSWORD},
    "/api/auth/forgot-password": {"email": "eve@example.com"},
    "/api/auth/reset-password": {"token": "x", "newPassword": PASSWORD},
}


async def ask(client: httpx.AsyncClient, path: str, times: int) -> list[httpx.Response]:
    """The same request many times, at once."""
    body = BODIES[path]
    return await asyncio.gather(*[client.post(path, json=body) for _ in range(times)])


def passed(responses: list[httpx.Response]) -> int:
    return sum(response.status_code != 429 for response in responses)


@pytest.mark.parametrize(
    ("path", "amount", "seconds"),
    [
        ("/api/auth/register", 5, 900),
        ("/api/auth/login", 5, 900),
        ("/api/auth/forgot-password", 3, 3600),
        ("/api/auth/reset-password", 3, 3600),
    ],
)
async def test_the_limits_of_the_contract(
    start: Callable[..., Any], path: str, amount: int, seconds: int
) -> None:
    client = connect(await start(**CONTRACT))

    *allowed, refused = [(await ask(client, path, 1))[0] for _ in range(amount + 1)]

    assert passed(allowed) == amount
    assert refused.status_code == 429
    retry_after = int(refused.headers["retry-after"])
    assert seconds - 30 < retry_after <= seconds
    assert refused.json() == {
        "error": {
            "code": "rate_limited",
            "message": f"Too many requests. Try again in {retry_after} s.",
        }
    }
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert refused.headers["cache-control"] == "no-store"
    # None of the four counts for another.
    for other in BODIES.keys() - {path}:
        assert passed(await ask(client, other, 1)) == 1


@pytest.mark.parametrize("path", BODIES)
async def test_exactly_as_many_pass_as_the_limit_allows(
    start: Callable[..., Any], path: str
) -> None:
    rate = "7/15 minutes"
    app = await start(rate_limit_auth=rate, rate_limit_password_reset=rate)

    responses = [*await ask(connect(app), path, 1), *await ask(connect(app), path, 39)]

    assert passed(responses) == 7
    refused = [response for response in responses if response.status_code == 429]
    assert all(1 <= int(response.headers["retry-after"]) <= 900 for response in refused)
    assert passed(await ask(connect(app, "198.51.100.7"), path, 1)) == 1


async def test_a_request_counts_before_it_is_read(start: Callable[..., Any]) -> None:
    """A body that is refused was a try all the same."""
    client = connect(await start(rate_limit_auth="3/hour"))
    bad: list[dict[str, Any]] = [
        {"json": {"email": "nobody"}},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"json": "x" * 70_000},
    ]

    statuses = [(await client.post("/api/auth/login", **body)).status_code for body in bad]

    assert statuses == [400, 400, 413]
    assert passed(await ask(client, "/api/auth/login", 1)) == 0


@pytest.mark.parametrize(
    ("path", "amount"),
    [("/api/auth/register", 5), ("/api/auth/login", 5), ("/api/auth/reset-password", 3)],
)
async def test_who_is_told_to_come_back_has_lost_no_try(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, path: str, amount: int
) -> None:
    client = connect(await start(**CONTRACT))
    body = BODIES[path] | ({"password": PASSWORD} if path.endswith("register") else {})

    async def statuses() -> list[int]:
        return [(await client.post(path, json=body)).status_code for _ in range(amount + 1)]

    with monkeypatch.context() as full_queue:
        full_queue.setattr(passwords, "MAX_QUEUED", 0)
        untried = await statuses()
    *tried, refused = await statuses()

    assert set(untried) == {503}
    assert 429 not in tried
    assert 503 not in tried
    assert refused == 429


async def test_the_general_limit_counts_the_user_wherever_they_are(
    start: Callable[..., Any],
) -> None:
    app = await start(rate_limit_general="4/hour")
    office, home = connect(app), connect(app, "198.51.100.7")
    ada, eve = await register(office), await register(office, "eve@example.com")

    for client in (office, home, office, home):
        assert await is_signed_in(client, ada)

    for client in (office, home):
        refused = await client.get("/api/users/me", headers=ada.headers)
        assert (refused.status_code, error_code(refused)) == (429, "rate_limited")
    # Neither somebody else at the same address, nor the address itself, is concerned.
    assert await is_signed_in(office, eve)
    assert (await office.get("/api/users/me")).status_code == 401
    # Nor does another session of the same user help.
    again = await sign_in(home)
    assert (await home.get("/api/users/me", headers=again.headers)).status_code == 429


async def test_forged_tokens_count_against_the_address(start: Callable[..., Any]) -> None:
    app = await start(rate_limit_general="3/hour")
    client = connect(app)
    ada = await register(client)
    head, payload, signature = ada.access_token.split(".")
    forged = [
        f"{head}.{payload}.{signature[::-1]}",
        f"{head}.{payload}.",
        "x",
        ada.refresh_token,
    ]

    statuses = [
        (await client.get("/api/users/me", headers=bearer(token))).status_code for token in forged
    ]

    assert statuses == [401, 401, 401, 429]
    assert await is_signed_in(client, ada)  # whom they named is not concerned


async def test_refresh_and_logout_are_general_requests(start: Callable[..., Any]) -> None:
    client = connect(await start(rate_limit_general="2/hour"))
    for path in ("/api/auth/refresh", "/api/auth/logout"):
        assert (await client.post(path, json={"refreshToken": "x"})).status_code == 401

    for path in ("/api/auth/refresh", "/api/auth/logout", "/api/users/me", "/nowhere"):
        assert (await client.post(path, json={"refreshToken": "x"})).status_code == 429


async def test_an_address_spends_nobodys_refreshes(start: Callable[..., Any]) -> None:
    """An office is one address: a colleague's dead token must not keep the others from going on."""
    app = await start(rate_limit_general="4/hour")
    office = connect(app)
    ada, eve = await register(office), await register(office, "eve@example.com")
    dead = bearer("x" + ada.access_token)
    for path in ("/api/users/me", "/api/auth/refresh", "/api/auth/logout") * 3:
        method = "GET" if path.endswith("me") else "POST"
        await office.request(method, path, json={"refreshToken": "dead"}, headers=dead)
    assert (await office.get("/api/users/me", headers=dead)).status_code == 429

    renewed = await refresh(office, ada)
    assert await is_signed_in(office, renewed)
    body = {"refreshToken": eve.refresh_token}
    assert (await office.post("/api/auth/logout", json=body, headers=dead)).status_code == 200


async def test_refreshing_counts_for_the_user_whom_the_token_names(
    start: Callable[..., Any],
) -> None:
    app = await start(rate_limit_general="3/hour")
    office = connect(app)
    ada, eve = await register(office), await register(office, "eve@example.com")
    for number in range(3):
        ada = await refresh(connect(app, f"198.51.100.{number}"), ada)

    for address in ("192.0.2.1", "198.51.100.9"):
        refused = await try_refresh(connect(app, address), ada.refresh_token)
        assert (refused.status_code, error_code(refused)) == (429, "rate_limited")
    # Together with everything else that she does; nobody else is concerned.
    me = await office.get("/api/users/me", headers=ada.headers)
    logout = await office.post("/api/auth/logout", json={"refreshToken": ada.refresh_token})
    assert (me.status_code, logout.status_code) == (429, 429)
    assert await refresh(office, eve)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"json": {"refreshToken": "x"}}, 401),
        ({"json": {"refreshToken": 1}}, 400),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"[" * 60_000, "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"refreshToken": "x" * 70_000}}, 413),
        ({}, 400),
    ],
    ids=["garbage", "no text", "no JSON", "deep", "too large", "nothing"],
)
async def test_a_refresh_that_names_nobody_counts_against_the_address(
    start: Callable[..., Any], body: dict[str, Any], status: int
) -> None:
    client = connect(await start(rate_limit_general="2/hour"))

    statuses = [(await client.post("/api/auth/refresh", **body)).status_code for _ in range(3)]

    assert statuses == [status, status, 429]


async def test_a_body_that_arrives_in_pieces_is_read_once_and_whole(
    start: Callable[..., Any],
) -> None:
    app = await start(rate_limit_general="2/hour")
    client = connect(app)
    ada = await register(client)

    async def pieces(text: bytes) -> AsyncIterator[bytes]:
        for start_at in range(0, len(text), 7):
            yield text[start_at : start_at + 7]

    async def send(text: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return await client.post("/api/auth/refresh", content=pieces(text), headers=headers)

    renewed = await send(b'{"refreshToken": "%s"}' % ada.refresh_token.encode())
    large = [(await send(b"%70000d" % 1)).status_code for _ in range(3)]

    assert renewed.status_code == 200
    assert large == [413, 413, 429]


async def test_health_is_never_limited(start: Callable[..., Any]) -> None:
    client = connect(await start(rate_limit_general="1/hour"))
    await client.get("/nowhere")
    assert (await client.get("/nowhere")).status_code == 429

    for path in ("/health", "/health/ready") * 5:
        assert (await client.get(path)).status_code == 200


async def test_limits_can_be_switched_off(start: Callable[..., Any]) -> None:
    everything = dict.fromkeys(CONTRACT, "1/hour")
    client = connect(await start(rate_limit_enabled=False, **everything))

    for path in BODIES:
        assert passed(await ask(client, path, 5)) == 5


LOGIN = "/api/auth/login"

TRICKS = [
    ("POST", f"{LOGIN}/"),
    ("POST", f"/{LOGIN}"),
    ("POST", f"{LOGIN}//"),
    ("POST", LOGIN.upper()),
    ("POST", "/api/Auth/login"),
    ("POST", "/api//auth/login"),
    ("POST", "/api/./auth/login"),
    ("POST", "/api/users/../auth/login"),
    ("POST", f"{LOGIN};x=1"),
    ("POST", f"{LOGIN}%20"),
    ("POST", f"{LOGIN}%00"),
    ("POST", f"{LOGIN}%0a"),
    ("POST", f"{LOGIN}%0a%0a"),
    ("POST", f"{LOGIN}%0d"),
    ("POST", f"{LOGIN}%2f"),
    ("POST", f"{LOGIN}.json"),
    ("GET", LOGIN),
    ("HEAD", LOGIN),
    ("OPTIONS", LOGIN),
    ("PUT", LOGIN),
    ("post", LOGIN),
    ("PoSt", LOGIN),
]


@pytest.mark.parametrize(("method", "path"), TRICKS)
async def test_no_spelling_reaches_an_endpoint_uncounted(
    start: Callable[..., Any], method: str, path: str
) -> None:
    """Whatever is not the exact request is not the endpoint, and counts as a general one."""
    client = connect(await start(rate_limit_general="2/hour", rate_limit_auth="1/hour"))
    body = BODIES[LOGIN]

    def trick() -> Any:
        url = httpx.URL(client.base_url.join("/"), raw_path=path.encode())
        return client.request(method, url, json=body)

    statuses = [(await trick()).status_code for _ in range(3)]

    if statuses[0] == 401:  # tidied up by httpx, or understood by the router: it is the endpoint
        assert statuses == [401, 429, 429]
    else:
        assert statuses[0] in {404, 405}
        assert statuses == [statuses[0], statuses[0], 429]


@pytest.mark.parametrize("query", ["?x=1", "?", "?email=eve%40example.com", "#fragment"])
async def test_a_query_is_no_other_path(start: Callable[..., Any], query: str) -> None:
    client = connect(await start(rate_limit_auth="1/hour"))

    statuses = [
        (await client.post(LOGIN + query, json=BODIES[LOGIN])).status_code for _ in range(2)
    ]

    assert statuses == [401, 429]


async def test_an_encoded_path_is_the_path_it_encodes(start: Callable[..., Any]) -> None:
    client = connect(await start(rate_limit_auth="1/hour"))
    path = "/api/auth/%6c%6Fgin"
    assert path != quote(path)

    statuses = [(await client.post(path, json=BODIES[LOGIN])).status_code for _ in range(2)]

    assert statuses == [401, 429]


async def test_under_a_prefix_the_limits_are_the_same(start: Callable[..., Any]) -> None:
    """As behind a proxy that leaves the prefix in the path, or mounted in another application."""
    app = await start(rate_limit_auth="1/hour")
    transport = httpx.ASGITransport(app, root_path="/mounted")
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example.com") as client:
        statuses = [
            (await client.post(f"/mounted{LOGIN}", json=BODIES[LOGIN])).status_code
            for _ in range(2)
        ]

    assert statuses == [401, 429]


async def test_headers_do_not_change_the_address(start: Callable[..., Any]) -> None:
    client = connect(await start(rate_limit_auth="3/hour"))
    spoofs = [
        {"X-Forwarded-For": "203.0.113.1"},
        {"X-Forwarded-For": "203.0.113.2, 127.0.0.1"},
        {"Forwarded": "for=203.0.113.3"},
        {"X-Real-IP": "203.0.113.4"},
        {"CF-Connecting-IP": "203.0.113.5", "True-Client-IP": "203.0.113.6"},
        {"X-Client-IP": "203.0.113.7", "X-Originating-IP": "203.0.113.8"},
    ]

    statuses = [
        (await client.post(LOGIN, json=BODIES[LOGIN], headers=spoof)).status_code
        for spoof in spoofs
    ]

    assert statuses == [401] * 3 + [429] * 3


async def test_behind_a_trusted_proxy_its_client_counts(start: Callable[..., Any]) -> None:
    client = connect(await start(rate_limit_auth="1/hour", trusted_proxies="192.0.2.0/24"))

    statuses = [
        (
            await client.post(LOGIN, json=BODIES[LOGIN], headers={"X-Forwarded-For": hops})
        ).status_code
        for hops in ("203.0.113.1", "203.0.113.2", "9.9.9.9, 203.0.113.1", "203.0.113.3, 192.0.2.9")
    ]

    assert statuses == [401, 401, 429, 401]


async def test_ipv6_counts_by_network(start: Callable[..., Any]) -> None:
    app = await start(rate_limit_auth="1/hour")
    addresses = ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::1")

    statuses = [
        (await connect(app, address).post(LOGIN, json=BODIES[LOGIN])).status_code
        for address in addresses
    ]

    assert statuses == [401, 429, 401]


async def test_an_ipv6_site_has_a_larger_limit_of_its_own(start: Callable[..., Any]) -> None:
    """Its customer may have 65,536 networks; a refused request of one costs the others nothing."""
    app = await start(rate_limit_general="1/hour")
    site = [connect(app, f"2001:db8:0:{number:x}::1") for number in range(SITE_FACTOR + 1)]

    statuses = [(await client.get("/nowhere")).status_code for client in site]

    assert [(await site[0].get("/nowhere")).status_code for _ in range(3)] == [429] * 3
    assert statuses == [404] * SITE_FACTOR + [429]
    assert (await connect(app, "2001:db8:1::1").get("/nowhere")).status_code == 404


async def test_retry_after_tells_the_truth(start: Callable[..., Any]) -> None:
    """The one test that waits: a client that comes back when it was told to is let in."""
    client = connect(await start(rate_limit_general="2/second"))
    responses = [await client.get("/nowhere") for _ in range(3)]
    while (refused := responses[-1]).status_code != 429:  # a window ended meanwhile
        responses.append(await client.get("/nowhere"))

    assert refused.headers["retry-after"] == "1"
    await asyncio.sleep(int(refused.headers["retry-after"]))

    assert (await client.get("/nowhere")).status_code == 404
