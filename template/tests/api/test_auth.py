"""`/api/auth` as a client sees it: every endpoint, status, body and rule.

What the defences behind it withstand is in `tests/accounts/`.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from fastapi import FastAPI

from app.accounts.tokens import TokenType
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
    bearer,
    connect,
    error_code,
    is_signed_in,
    refresh,
    register,
    request_reset,
    reset_password,
    services_of,
    sign_in,
    try_refresh,
    with_tokens,
)

ADA = {"email": "ada@example.com", "password": PASSWORD}

INVALID_TOKEN = {
    "error": {
        "code": "invalid_token",
        "message": "The token is invalid, expired or revoked. Sign in again.",
    }
}
INVALID_CREDENTIALS = {
    "error": {"code": "invalid_credentials", "message": "E-mail or password is wrong."}
}
INVALID_RESET_TOKEN = {
    "error": {
        "code": "invalid_reset_token",
        "message": "This reset link was used, replaced, or is too old. Ask for a new one.",
    }
}


def invalid(field: str, message: str) -> dict[str, object]:
    """The answer when one field is wrong."""
    details = [{"field": field, "message": message}]
    error = {"code": "validation_failed", "message": "The input is not valid.", "details": details}
    return {"error": error}


async def test_registering_creates_a_user_and_signs_in(
    client: httpx.AsyncClient, database: Tables
) -> None:
    response = await client.post("/api/auth/register", json={**ADA, "name": "  Ada Lovelace "})

    assert response.status_code == 201
    body = response.json()
    assert body.keys() == {"user", "accessToken", "refreshToken"}
    assert UUID(body["user"].pop("id")) == (await database.user()).id
    assert body["user"] == {"email": "ada@example.com", "name": "Ada Lovelace", "role": "user"}
    me = await client.get("/api/users/me", headers=bearer(body["accessToken"]))
    assert me.status_code == 200
    assert (await try_refresh(client, body["refreshToken"])).status_code == 200


@pytest.mark.parametrize("name", [{}, {"name": None}])
async def test_a_name_is_optional(client: httpx.AsyncClient, name: dict[str, None]) -> None:
    response = await client.post("/api/auth/register", json={**ADA, **name})

    assert response.status_code == 201
    assert response.json()["user"]["name"] is None


@pytest.mark.parametrize("spelling", ["ada@example.com", "ADA@Example.COM", "  ada@EXAMPLE.com\n"])
async def test_an_address_registers_once_however_it_is_spelled(
    client: httpx.AsyncClient, ada: Account, spelling: str
) -> None:
    response = await client.post("/api/auth/register", json={**ADA, "email": spelling})

    assert response.status_code == 409
    assert response.json() == {
        "error": {
            "code": "email_taken",
            "message": "An account with this e-mail address exists.",
        }
    }


async def test_an_address_has_a_length(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/auth/register", json={**ADA, "email": "a" * 255})

    assert response.status_code == 400
    assert response.json() == invalid("email", "String should have at most 254 characters")


async def test_the_address_is_trimmed_and_lower_cased(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/auth/register", json={**ADA, "email": " Ada@Example.Com "})

    assert response.json()["user"]["email"] == "ada@example.com"
    assert (await sign_in(client, "aDA@example.com\t")).id == response.json()["user"]["id"]


BAD_EMAILS = [
    "",
    "ada",
    "ada@",
    "@example.com",
    "ada@example",
    "ada@@example.com",
    "ada @example.com",
    "ada@exa mple.com",
    "ada@example..com",
    "ada@-example.com",
    ".ada@example.com",
    "ada@example.com\x00",
    "ada\r\nBcc: eve@example.com",
    '"Bob" <b@example.co>',
    "Bob <b@example.co>",
    '"quoted"@example.com',
    "ada@[127.0.0.1]",
    "ada@example.com,eve@example.com",
    "ada@" + "a" * 240 + ".com",
]


async def test_what_is_no_address_does_not_register(client: httpx.AsyncClient) -> None:
    for email in BAD_EMAILS:
        response = await client.post("/api/auth/register", json={**ADA, "email": email})
        assert response.status_code == 400, email
        assert response.json() == invalid("email", "must be an e-mail address")


BAD_PASSWORDS = [
    ("Short7x", "must have at least 8 characters"),
    ("no-upper-case-7", "must have an upper-case letter"),
    ("NO-LOWER-CASE-7", "must have a lower-case letter"),
    ("No-Digit-At-All", "must have a digit"),
    ("Has-A-NUL-7\x00", "must not contain the NUL character"),
    ("Aa7" + "x" * 70, "must have at most 72 bytes in UTF-8"),
    ("Aa7" + "é" * 35, "must have at most 72 bytes in UTF-8"),
    # Each ligature becomes eighteen letters under NFKC.
    ("Aa7-" + "\ufdfa" * 4, "must have at most 72 bytes in UTF-8"),
    ("Passw0rd", "is one of the most common passwords"),
    ("PassWord123", "is one of the most common passwords"),
]


@pytest.mark.parametrize(("password", "problem"), BAD_PASSWORDS)
async def test_a_bad_password_is_refused_wherever_one_is_set(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox, password: str, problem: str
) -> None:
    token = await request_reset(client, mailbox)
    change = {"currentPassword": PASSWORD, "newPassword": password}

    registered = await client.post(
        "/api/auth/register", json={"email": "eve@example.com", "password": password}
    )
    changed = await client.post("/api/users/me/change-password", json=change, headers=ada.headers)
    reset = await reset_password(client, token, password)

    assert [answer.status_code for answer in (registered, changed, reset)] == [400] * 3
    assert registered.json() == invalid("password", problem)
    assert changed.json() == reset.json() == invalid("newPassword", problem)
    assert password not in registered.text + changed.text + reset.text
    assert (await reset_password(client, token)).status_code == 200  # a bad one costs no token


@pytest.mark.parametrize(
    "password",
    ["Aa7" + "x" * 69, "Aa7" + "é" * 34 + "x", "Größe-7-ßß", "Пароль-Мой-7", "  Spaces 7  "],
)
async def test_a_good_password_signs_in_and_is_taken_as_it_is(
    client: httpx.AsyncClient, password: str
) -> None:
    await register(client, password=password)

    assert await sign_in(client, password=password)
    if password != password.strip():
        trimmed = {**ADA, "password": password.strip()}
        assert (await client.post("/api/auth/login", json=trimmed)).status_code == 401


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "String should have at least 1 character"),
        ("   ", "String should have at least 1 character"),
        ("x" * 101, "String should have at most 100 characters"),
        ("Ada\x00", "must not contain control characters"),
        ("Ada\nLovelace", "must not contain control characters"),
        ("Ada\x1b[2J", "must not contain control characters"),
        ("Ada\u202e", "must not contain control characters"),
    ],
)
async def test_a_bad_name_is_refused(client: httpx.AsyncClient, name: str, problem: str) -> None:
    response = await client.post("/api/auth/register", json={**ADA, "name": name})

    assert response.status_code == 400
    assert response.json() == invalid("name", problem)


@pytest.mark.parametrize(
    "name", ["x", "x" * 100, " " * 50 + "x" * 100, "山田 太郎", "O'Brien-Ñ 🙂"]
)
async def test_a_good_name_is_kept(client: httpx.AsyncClient, name: str) -> None:
    response = await client.post("/api/auth/register", json={**ADA, "name": name})

    assert response.json()["user"]["name"] == name.strip()


@pytest.mark.parametrize(
    "field", ["role", "isActive", "is_active", "id", "passwordHash", "createdAt", "x" * 999]
)
async def test_nobody_assigns_what_is_not_theirs(
    client: httpx.AsyncClient, database: Tables, field: str
) -> None:
    response = await client.post("/api/auth/register", json={**ADA, field: "admin"})

    assert response.status_code == 400
    assert response.json() == invalid("body", "has a field that is not known here")
    assert await database.users() == []


async def test_signing_in_has_the_shape_of_registering(
    client: httpx.AsyncClient, ada: Account
) -> None:
    response = await client.post("/api/auth/login", json=ADA)

    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"user", "accessToken", "refreshToken"}
    user = {"id": ada.id, "email": ada.email, "name": "Ada Lovelace", "role": "user"}
    assert body["user"] == user
    assert await is_signed_in(client, with_tokens(ada, response))


async def test_a_wrong_password_does_not_sign_in(client: httpx.AsyncClient, ada: Account) -> None:
    response = await client.post("/api/auth/login", json={**ADA, "password": PASSWORD + "x"})

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json() == INVALID_CREDENTIALS


@pytest.mark.parametrize("password", ["", "x", "\x00", "x" * 73, PASSWORD + "x" * 60, "é" * 400])
async def test_at_login_a_password_is_right_or_wrong_and_nothing_else(
    client: httpx.AsyncClient, ada: Account, password: str
) -> None:
    response = await client.post("/api/auth/login", json={**ADA, "password": password})

    assert response.status_code == 401
    assert response.json() == INVALID_CREDENTIALS


async def test_an_email_that_is_none_does_not_sign_in(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/auth/login", json={**ADA, "email": "ada"})

    assert response.status_code == 400
    assert response.json() == invalid("email", "must be an e-mail address")


async def test_refreshing_gives_a_new_pair_once(client: httpx.AsyncClient, ada: Account) -> None:
    response = await try_refresh(client, ada.refresh_token)

    assert response.status_code == 200
    assert response.json().keys() == {"accessToken", "refreshToken"}
    renewed = with_tokens(ada, response)
    assert renewed.refresh_token != ada.refresh_token
    assert renewed.access_token != ada.access_token
    assert await is_signed_in(client, renewed)
    assert await is_signed_in(client, await refresh(client, renewed))


@pytest.mark.parametrize("token", ["x", "a.b.c", "Bearer x", "é", "\ud7ff", "=" * 4096])
async def test_garbage_does_not_refresh(client: httpx.AsyncClient, token: str) -> None:
    response = await try_refresh(client, token)

    assert response.status_code == 401
    assert response.json() == INVALID_TOKEN
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_an_access_token_does_not_refresh(client: httpx.AsyncClient, ada: Account) -> None:
    response = await try_refresh(client, ada.access_token)

    assert (response.status_code, error_code(response)) == (401, "invalid_token")
    assert await is_signed_in(client, ada)


async def log_out(client: httpx.AsyncClient, account: Account, token: str) -> httpx.Response:
    body = {"refreshToken": token}
    return await client.post("/api/auth/logout", json=body, headers=account.headers)


async def test_logging_out_ends_refresh_and_access(client: httpx.AsyncClient, ada: Account) -> None:
    response = await log_out(client, ada, ada.refresh_token)

    assert (response.status_code, response.json()) == (200, {"message": "Logged out"})
    assert not await is_signed_in(client, ada)
    assert (await try_refresh(client, ada.refresh_token)).json() == INVALID_TOKEN


async def test_logging_out_leaves_other_devices_alone(
    client: httpx.AsyncClient, ada: Account
) -> None:
    phone = await sign_in(client)

    await log_out(client, ada, ada.refresh_token)

    assert await is_signed_in(client, await refresh(client, phone))


async def test_logging_out_ends_the_session_of_the_refresh_token_too(
    client: httpx.AsyncClient, ada: Account
) -> None:
    phone = await sign_in(client)

    response = await log_out(client, ada, phone.refresh_token)

    assert response.json() == {"message": "Logged out"}
    assert not await is_signed_in(client, ada)
    assert not await is_signed_in(client, phone)
    assert (await try_refresh(client, phone.refresh_token)).status_code == 401


@pytest.mark.parametrize("kind", ["garbage", "someone else's", "access", "used"])
async def test_logging_out_with_a_foreign_token_is_answered_alike_and_harms_nobody(
    client: httpx.AsyncClient, ada: Account, kind: str
) -> None:
    eve = await register(client, "eve@example.com")
    renewed = await refresh(client, ada)
    tokens = {
        "garbage": "garbage",
        "someone else's": eve.refresh_token,
        "access": renewed.access_token,
        "used": ada.refresh_token,
    }

    response = await log_out(client, renewed, tokens[kind])

    assert (response.status_code, response.json()) == (200, {"message": "Logged out"})
    assert not await is_signed_in(client, renewed)
    assert await is_signed_in(client, await refresh(client, eve))


async def test_logging_out_twice_is_a_401(client: httpx.AsyncClient, ada: Account) -> None:
    await log_out(client, ada, ada.refresh_token)

    response = await log_out(client, ada, ada.refresh_token)

    assert (response.status_code, response.json()) == (401, INVALID_TOKEN)


def expired(app: FastAPI, account: Account) -> str:
    """An access token of this session, which was good until a minute ago."""
    claims = jwt.decode(account.access_token, options={"verify_signature": False})
    return services_of(app).tokens.sign(
        TokenType.ACCESS,
        user_id=UUID(claims["sub"]),
        session_id=UUID(claims["sid"]),
        token_id=uuid4(),
        issued_at=datetime.now(UTC) - timedelta(minutes=16),
        expires_at=datetime.now(UTC) - timedelta(minutes=1),
    )


@pytest.mark.parametrize("access", ["expired", "garbage", "refresh", None])
async def test_the_refresh_token_alone_signs_out(
    client: httpx.AsyncClient, app: FastAPI, ada: Account, access: str | None
) -> None:
    """RFC 7009: it is proof enough. Of this session; another of the same user goes on."""
    phone = await sign_in(client)
    tokens = {"expired": expired(app, phone), "garbage": "x", "refresh": phone.refresh_token}
    headers = bearer(tokens[access]) if access else {}

    body = {"refreshToken": phone.refresh_token}
    response = await client.post("/api/auth/logout", json=body, headers=headers)

    assert (response.status_code, response.json()) == (200, {"message": "Logged out"})
    assert not await is_signed_in(client, phone)
    assert (await try_refresh(client, phone.refresh_token)).status_code == 401
    assert await is_signed_in(client, await refresh(client, ada))


async def test_an_exchanged_refresh_token_signs_out_too(
    client: httpx.AsyncClient, ada: Account
) -> None:
    """To replay it would end the session as well."""
    renewed = await refresh(client, await refresh(client, ada))

    response = await client.post("/api/auth/logout", json={"refreshToken": ada.refresh_token})

    assert response.status_code == 200
    assert not await is_signed_in(client, renewed)


@pytest.mark.parametrize("kind", ["garbage", "access", "forged", "ended"])
async def test_with_neither_token_good_nobody_is_signed_out(
    client: httpx.AsyncClient, app: FastAPI, ada: Account, kind: str
) -> None:
    phone = await sign_in(client)
    await log_out(client, phone, phone.refresh_token)
    head, payload, signature = ada.refresh_token.split(".")
    refresh_token = {
        "garbage": "x",
        "access": ada.access_token,
        "forged": f"{head}.{payload}.{signature[::-1]}",
        "ended": phone.refresh_token,
    }[kind]

    body = {"refreshToken": refresh_token}
    response = await client.post("/api/auth/logout", json=body, headers=bearer(expired(app, ada)))
    without = await client.post("/api/auth/logout", json=body)

    assert (response.status_code, response.json()) == (401, INVALID_TOKEN)
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (without.status_code, error_code(without)) == (401, "unauthenticated")
    assert await is_signed_in(client, ada)
    assert await refresh(client, ada)


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com ", "nobody@example.com"])
async def test_forgot_password_always_answers_the_same(
    client: httpx.AsyncClient, ada: Account, email: str
) -> None:
    response = await client.post("/api/auth/forgot-password", json={"email": email})

    assert (response.status_code, response.json()) == (200, {"message": "Reset email sent"})


async def test_forgot_password_mails_a_link_to_the_owner_and_to_nobody_else(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    for email in ("nobody@example.com", "ADA@example.com"):
        await client.post("/api/auth/forgot-password", json={"email": email})

    [mail] = await mailbox.mails()
    assert mail.to == "ada@example.com"
    assert mail.subject.startswith("Reset your ")
    assert "within 60 minutes" in mail.text


async def test_forgot_password_wants_an_address(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/auth/forgot-password", json={"email": "ada"})

    assert response.status_code == 400
    assert response.json() == invalid("email", "must be an e-mail address")


async def test_a_mailed_token_sets_a_new_password(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    token = await request_reset(client, mailbox)

    response = await reset_password(client, token)

    assert (response.status_code, response.json()) == (
        200,
        {"message": "Password reset successful"},
    )
    assert await sign_in(client, password=OTHER_PASSWORD)
    assert (await client.post("/api/auth/login", json=ADA)).status_code == 401
    *_, mail = await mailbox.mails()
    assert mail.to == "ada@example.com"
    assert "password was changed" in mail.subject


@pytest.mark.parametrize("token", ["x", "\x00", "é", "' OR 1=1 --", "x" * 4096])
async def test_an_unknown_reset_token_is_refused(client: httpx.AsyncClient, token: str) -> None:
    response = await reset_password(client, token)

    assert (response.status_code, response.json()) == (400, INVALID_RESET_TOKEN)


BODIES = {
    "/api/auth/register": {**ADA, "name": "Ada"},
    "/api/auth/login": ADA,
    "/api/auth/refresh": {"refreshToken": "x"},
    "/api/auth/logout": {"refreshToken": "x"},
    "/api/auth/forgot-password": {"email": "ada@example.com"},
    "/api/auth/reset-password": {"token": "x", "newPassword": OTHER_PASSWORD},
    "/api/users/me/change-password": {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD},
}
"""A body that is in order, for each POST that has one."""

FIELDS = [(path, field) for path, body in BODIES.items() for field in body]


@pytest.mark.parametrize(("path", "field"), FIELDS)
async def test_a_missing_field_is_named(
    client: httpx.AsyncClient, admin: Account, path: str, field: str
) -> None:
    body = {name: value for name, value in BODIES[path].items() if name != field}

    response = await client.post(path, json=body, headers=admin.headers)

    if field == "name":  # the only one that is optional
        assert response.status_code == 201
    else:
        assert response.status_code == 400
        assert response.json() == invalid(field, "Field required")


NOT_TEXTS: tuple[Any, ...] = (7, True, 1.5, [], ["ada@example.com"], {}, {"$ne": ""}, None, 10**18)


@pytest.mark.parametrize(("path", "field"), FIELDS)
async def test_a_text_is_a_text(
    client: httpx.AsyncClient, admin: Account, path: str, field: str
) -> None:
    for value in NOT_TEXTS:
        body = {**BODIES[path], field: value}
        response = await client.post(path, json=body, headers=admin.headers)
        if field == "name" and value is None:
            assert response.status_code == 201
        else:
            assert response.status_code == 400, (value, response.text)
            assert response.json() == invalid(field, "Input should be a valid string")


@pytest.mark.parametrize("path", BODIES)
async def test_an_unknown_field_is_refused_and_not_repeated(
    client: httpx.AsyncClient, admin: Account, path: str
) -> None:
    body = {**BODIES[path], "canary-field": "canary-value"}

    response = await client.post(path, json=body, headers=admin.headers)

    assert response.status_code == 400
    assert response.json() == invalid("body", "has a field that is not known here")


@pytest.mark.parametrize("path", BODIES)
async def test_the_names_of_the_code_are_not_those_of_the_api(
    client: httpx.AsyncClient, admin: Account, path: str
) -> None:
    snake = {"refreshToken": "refresh_token", "newPassword": "new_password"}
    body = {snake.get(name, name): value for name, value in BODIES[path].items()}
    if body == BODIES[path]:
        body = {**body, "is_active": "true"}

    response = await client.post(path, json=body, headers=admin.headers)

    assert (response.status_code, error_code(response)) == (400, "validation_failed")


NOT_OBJECTS = [b"[]", b'["a"]', b"null", b"7", b'"text"', b"true", b"NaN", b"1e999", b""]

NOT_JSON = [
    b"{",
    b"{]",
    b"email=ada@example.com",
    b"\xff\xfe",
    b'{"email": "\xc3\x28"}',
    b"{'email': 1}",
    b'{"email": 1,}',
    b"[" * 20_000,
    b'{"a":' * 10_000,
    b'{"email": ' + b"9" * 5000 + b"}",
    b"\x00",
    b"{} {}",
]

ODD_VALUES = [
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"9" * 4000,
    b'"\\ud800"',
    b'"\\udfff\\ud800"',
    b'"x\\u0000"',
    b"[" * 500 + b"]" * 500,
    b'{"a":' * 500 + b"1" + b"}" * 500,
    b'"\xed\xa0\x80"',  # a lone surrogate in what is nearly UTF-8
]


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody signed in, whose client sends bytes as JSON."""
    ada = await register(connect(app))
    headers = {**ada.headers, "Content-Type": "application/json"}
    async with connect(app, headers=headers) as client:
        yield client


@pytest.mark.parametrize("path", BODIES)
async def test_whatever_is_no_object_is_a_400(anyone: httpx.AsyncClient, path: str) -> None:
    for content in (*NOT_OBJECTS, *NOT_JSON):
        response = await anyone.post(path, content=content)

        assert response.status_code == 400, (content[:40], response.text)
        assert error_code(response) in {"validation_failed", "invalid_json"}


async def test_what_is_not_json_is_called_that(anyone: httpx.AsyncClient) -> None:
    for content in NOT_JSON:
        response = await anyone.post("/api/auth/login", content=content)
        assert response.json() == {
            "error": {"code": "invalid_json", "message": "The body is not valid JSON in UTF-8."}
        }


@pytest.mark.parametrize(("path", "field"), FIELDS)
async def test_odd_values_are_never_a_500(anyone: httpx.AsyncClient, path: str, field: str) -> None:
    for value in ODD_VALUES:
        others = b"".join(
            f'"{name}": "{text}", '.encode() for name, text in BODIES[path].items() if name != field
        )
        response = await anyone.post(
            path, content=b"{" + others + b'"' + field.encode() + b'": ' + value + b"}"
        )

        # A password, or a token, that does not exist is wrong without being malformed.
        allowed = {400, 401} if field in {"password", "currentPassword", "refreshToken"} else {400}
        if path.endswith("/logout") and response.status_code == 200:
            continue
        assert response.status_code in allowed, (value[:40], response.text)
        error_code(response)


async def test_a_body_of_another_type_is_a_415(anyone: httpx.AsyncClient) -> None:
    for path in BODIES:
        for content_type in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ):
            headers = {"Content-Type": content_type}
            response = await anyone.post(path, content=b"{}", headers=headers)
            assert response.status_code == 415
            assert error_code(response) == "unsupported_media_type"


async def test_a_body_without_its_type_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/auth/login", content=b'{"email": "a@example.com"}')

    assert response.status_code == 415


async def test_a_large_body_is_a_413_at_every_endpoint(anyone: httpx.AsyncClient) -> None:
    for path in BODIES:
        response = await anyone.post(path, content=b'{"email": "' + b"x" * 65_536)
        assert response.status_code == 413
        assert error_code(response) == "body_too_large"


async def test_no_refusal_repeats_what_was_sent(anyone: httpx.AsyncClient) -> None:
    for path, body in BODIES.items():
        for field in body:
            spoilt = {**dict.fromkeys(body, "CanarY-77\x00"), field: "CanarY-77\x01" * 300}
            response = await anyone.post(path, json=spoilt)
            assert "CanarY" not in response.text + str(response.headers)
