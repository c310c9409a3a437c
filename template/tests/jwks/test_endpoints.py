"""The public keys as verifiers fetch them, and what services are told of a token."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.accounts.key_rings import Key
from app.accounts.models import User
from tests.helpers import Account, Tables, bearer, connect, error_code, refresh, register
from tests.jwks.conftest import SERVICE, SERVICE_TOKEN

JWKS = "/.well-known/jwks.json"
INTROSPECT = "/api/auth/introspect"


async def test_the_public_keys_are_those_and_no_more(
    client: httpx.AsyncClient, key: Key, algorithm: str
) -> None:
    answer = await client.get(JWKS)
    assert answer.status_code == 200
    [found] = answer.json()["keys"]
    assert (found["kid"], found["alg"], found["use"]) == (key.kid, algorithm, "sig")
    coordinates = {"x"} if algorithm == "EdDSA" else {"x", "y"}
    assert found.keys() == {"kty", "crv", "kid", "alg", "use"} | coordinates


async def test_the_public_keys_can_be_cached(client: httpx.AsyncClient) -> None:
    answer = await client.get(JWKS)
    assert answer.headers["cache-control"] == "public, max-age=300, stale-if-error=86400"
    etag = answer.headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(JWKS, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == answer.headers["cache-control"]
    assert (await client.get(JWKS, headers={"If-None-Match": '"other"'})).status_code == 200
    head = await client.head(JWKS)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)


async def test_every_key_that_verifies_is_there_and_no_secret(
    start: Callable[..., Any], pairs: dict[str, str]
) -> None:
    entries = f"{pairs['EdDSA']},JWT_SECRET"
    app = await start(jwt_private_keys=entries, jwt_staged_private_key=pairs["ES256"])
    keys = (await connect(app).get(JWKS)).json()["keys"]
    assert [key["alg"] for key in keys] == ["EdDSA", "ES256"]
    assert [key["kty"] for key in keys] == ["OKP", "EC"]
    assert all("d" not in key and "k" not in key for key in keys)


async def test_without_key_pairs_there_are_no_public_keys(start: Callable[..., Any]) -> None:
    assert (await connect(await start()).get(JWKS)).json() == {"keys": []}


async def test_verifiers_are_never_limited(start: Callable[..., Any], pair: str) -> None:
    values = {"rate_limit_general": "1/hour", "service_tokens": SERVICE_TOKEN}
    client = connect(await start(jwt_private_keys=pair, **values))
    account = await register(client)
    for _ in range(30):
        assert (await client.get(JWKS)).status_code == 200
        assert (await ask(client, account.access_token)).status_code == 200


async def ask(
    client: httpx.AsyncClient, token: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    return await client.post(INTROSPECT, data={"token": token}, headers=headers or SERVICE)


async def test_a_good_token_is_active(client: httpx.AsyncClient, ada: Account) -> None:
    answer = await ask(client, ada.access_token)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told.pop("exp") > 0
    assert told.pop("sid")
    assert told == {
        "active": True,
        "token_type": "Bearer",
        "sub": ada.id,
        "iss": "app",
        "aud": "app",
        "role": "user",
    }


async def test_a_token_whose_session_has_ended_is_not_active(
    client: httpx.AsyncClient, ada: Account
) -> None:
    """What a check of the signature alone can't know."""
    body = {"refreshToken": ada.refresh_token}
    await client.post("/api/auth/logout", json=body, headers=ada.headers)
    assert (await ask(client, ada.access_token)).json() == {"active": False}


async def test_a_token_of_a_session_that_is_over_is_not_active(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await database.travel(days=8)
    assert (await ask(client, ada.access_token)).json() == {"active": False}


async def test_a_deactivated_user_s_token_is_not_active(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await database.execute(update(User).values(is_active=False, updated_at=User.updated_at))
    assert (await ask(client, ada.access_token)).json() == {"active": False}


async def test_what_is_no_access_token_is_not_active(
    client: httpx.AsyncClient, ada: Account
) -> None:
    for token in (ada.refresh_token, "x", "a.b.c", ada.access_token[:-2], "é", "x" * 5000):
        answer = await ask(client, token)
        assert (answer.status_code, answer.json()) == (200, {"active": False}), token


async def test_only_services_may_ask(client: httpx.AsyncClient, ada: Account) -> None:
    missing = await client.post(INTROSPECT, data={"token": ada.access_token})
    assert (missing.status_code, missing.headers["www-authenticate"]) == (401, "Bearer")
    for headers in (
        ada.headers,
        bearer(ada.access_token[:40]),
        bearer(SERVICE_TOKEN[:-1]),
        bearer(SERVICE_TOKEN + "x"),
        bearer(""),
        {"Authorization": f"Basic {SERVICE_TOKEN}"},
        {"Authorization": SERVICE_TOKEN},
    ):
        answer = await ask(client, ada.access_token, headers)
        assert (answer.status_code, error_code(answer)) == (401, "invalid_token"), headers
    assert (await client.get("/api/users/me", headers=SERVICE)).status_code == 401


async def test_without_service_tokens_nobody_may_ask(start: Callable[..., Any]) -> None:
    client = connect(await start())
    account = await register(client)
    for headers in (SERVICE, bearer("")):
        assert (await ask(client, account.access_token, headers)).status_code == 401


async def test_who_guesses_service_tokens_is_stopped_and_no_service_is(
    client: httpx.AsyncClient, pair_app: FastAPI, ada: Account
) -> None:
    wrong = bearer("x" * 40)
    statuses = [(await ask(client, "x", wrong)).status_code for _ in range(21)]
    assert statuses == [401] * 20 + [429]
    assert (await ask(client, ada.access_token)).json()["active"], "from the same address"
    elsewhere = connect(pair_app, "192.0.2.99")
    assert (await ask(elsewhere, "x", wrong)).status_code == 401


async def test_the_question_is_a_form(client: httpx.AsyncClient, ada: Account) -> None:
    """RFC 7662 §2.1, so that libraries can ask."""
    as_json = await client.post(INTROSPECT, json={"token": "x"}, headers=SERVICE)
    assert (as_json.status_code, error_code(as_json)) == (415, "unsupported_media_type")
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", **SERVICE}
    hinted = f"token={ada.access_token}&token_type_hint=access_token"
    answer = await client.post(INTROSPECT, content=hinted, headers=form)
    assert answer.json()["active"]
    login = await client.post("/api/auth/login", content="email=a", headers=form)
    assert login.status_code == 415, "no other endpoint takes one"


@pytest.mark.parametrize(
    "body",
    [b"", b"token=", b"token", b"tok=x", b"token=a&token=b", b"a=1&" * 50, b"\xff\xfe", b'{"a":1}'],
    ids=repr,
)
async def test_a_question_without_one_token_is_a_400(
    client: httpx.AsyncClient, body: bytes
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", **SERVICE}
    answer = await client.post(INTROSPECT, content=body, headers=form)
    assert (answer.status_code, error_code(answer)) == (400, "validation_failed")


async def test_a_refreshed_token_is_active_too(client: httpx.AsyncClient, ada: Account) -> None:
    renewed = await refresh(client, ada)
    assert (await ask(client, renewed.access_token)).json()["active"]
    assert (await ask(client, ada.access_token)).json()["active"], "as for every read"
