"""`/api/users` as a client sees it: one's own profile and sessions, and everybody's for admins."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from tests.helpers import (
    NOBODY,
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
    connect,
    error_code,
    is_signed_in,
    moment,
    register,
    sign_in,
    try_refresh,
)

UNAUTHENTICATED = {
    "error": {
        "code": "unauthenticated",
        "message": "Sign in first: send an access token as `Authorization: Bearer <token>`.",
    }
}
NO_SUCH_USER = {"error": {"code": "not_found", "message": "There is no such user."}}

PROTECTED = [
    ("GET", "/api/users/me"),
    ("PATCH", "/api/users/me"),
    ("POST", "/api/users/me/change-password"),
    ("GET", "/api/users"),
    ("GET", f"/api/users/{NOBODY}"),
    ("PATCH", f"/api/users/{NOBODY}"),
]


async def patch_me(client: httpx.AsyncClient, who: Account, **changes: Any) -> httpx.Response:
    return await client.patch("/api/users/me", json=changes, headers=who.headers)


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_without_a_token_there_is_a_challenge(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    response = await client.request(method, path)

    assert (response.status_code, response.json()) == (401, UNAUTHENTICATED)
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_a_bad_token_is_said_to_be_one(
    client: httpx.AsyncClient, ada: Account, method: str, path: str
) -> None:
    for authorization in ("Bearer x", "Bearer", "Bearer ", "Basic eDp5", f"{ada.access_token}"):
        response = await client.request(method, path, headers={"Authorization": authorization})

        assert (response.status_code, error_code(response)) == (401, "invalid_token")
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "BeArEr"])
async def test_the_case_of_the_scheme_does_not_matter(
    client: httpx.AsyncClient, ada: Account, scheme: str
) -> None:
    headers = {"Authorization": f"{scheme} {ada.access_token}"}

    assert (await client.get("/api/users/me", headers=headers)).status_code == 200


async def test_a_token_counts_only_in_its_header(client: httpx.AsyncClient, ada: Account) -> None:
    """RFC 6750 §2.3: a token in a URL ends in logs and histories."""
    token = ada.access_token
    for options in (
        {"params": {"access_token": token}},
        {"cookies": {"access_token": token, "Authorization": f"Bearer {token}"}},
        {"headers": {"X-Access-Token": token}},
    ):
        client.cookies.clear()
        client.cookies.update(options.pop("cookies", {}))
        response = await client.get("/api/users/me", **options)  # type: ignore[arg-type]
        assert (response.status_code, response.json()) == (401, UNAUTHENTICATED)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/users"),
        ("GET", f"/api/users/{NOBODY}"),
        ("PATCH", f"/api/users/{NOBODY}"),
        ("GET", "/api/users/not-a-uuid"),
    ],
)
async def test_what_is_for_admins_is_a_403_for_others(
    client: httpx.AsyncClient, ada: Account, method: str, path: str
) -> None:
    body = {"role": "admin"} if method == "PATCH" else None

    response = await client.request(method, path, json=body, headers=ada.headers)

    assert response.status_code == 403
    assert response.json() == {
        "error": {"code": "forbidden", "message": "Only admins may do this."}
    }


async def test_the_profile_is_what_the_contract_says(
    client: httpx.AsyncClient, ada: Account
) -> None:
    response = await client.get("/api/users/me", headers=ada.headers)

    assert response.status_code == 200
    body = response.json()
    moment(body.pop("createdAt"))
    assert body == {
        "id": ada.id,
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "role": "user",
    }


async def test_name_and_email_can_be_changed(client: httpx.AsyncClient, ada: Account) -> None:
    before = datetime.now(UTC)

    response = await patch_me(client, ada, name=" Countess ", email=" Countess@Example.com")

    assert response.status_code == 200
    body = response.json()
    assert moment(body.pop("updatedAt")) >= before
    assert body == {
        "id": ada.id,
        "email": "countess@example.com",
        "name": "Countess",
        "role": "user",
    }
    me = (await client.get("/api/users/me", headers=ada.headers)).json()
    assert (me["email"], me["name"]) == ("countess@example.com", "Countess")
    assert await sign_in(client, "countess@example.com")


async def test_what_is_left_out_stays(client: httpx.AsyncClient, ada: Account) -> None:
    assert (await patch_me(client, ada, name="Ada")).json()["email"] == "ada@example.com"
    assert (await patch_me(client, ada, email="a@example.com")).json()["name"] == "Ada"
    nothing = (await patch_me(client, ada)).json()
    assert (nothing["email"], nothing["name"]) == ("a@example.com", "Ada")


async def test_null_forgets_the_name(client: httpx.AsyncClient, ada: Account) -> None:
    assert (await patch_me(client, ada, name=None)).json()["name"] is None


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("email", None, "Input should be a valid string"),
        ("email", "", "must be an e-mail address"),
        ("email", "ada", "must be an e-mail address"),
        ("email", 7, "Input should be a valid string"),
        ("name", "", "String should have at least 1 character"),
        ("name", "x" * 101, "String should have at most 100 characters"),
        ("name", ["Ada"], "Input should be a valid string"),
    ],
)
async def test_a_profile_refuses_what_registering_refuses(
    client: httpx.AsyncClient, ada: Account, field: str, value: object, problem: str
) -> None:
    response = await patch_me(client, ada, **{field: value})

    assert response.status_code == 400
    assert response.json()["error"]["details"] == [{"field": field, "message": problem}]


@pytest.mark.parametrize(
    "change",
    [
        {"role": "admin"},
        {"isActive": False},
        {"id": str(uuid4())},
        {"password": OTHER_PASSWORD},
        {"passwordHash": "x"},
        {"createdAt": "2000-01-01T00:00:00Z"},
        {"name": "Ada", "role": "admin"},
    ],
)
async def test_owners_cannot_assign_what_is_not_theirs(
    client: httpx.AsyncClient, ada: Account, database: Tables, change: dict[str, Any]
) -> None:
    before = await database.user()

    response = await patch_me(client, ada, **change)

    assert (response.status_code, error_code(response)) == (400, "validation_failed")
    assert await database.user() == before


async def test_an_address_of_somebody_else_is_taken(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    await register(client, "eve@example.com")

    response = await patch_me(client, ada, name="Mallory", email="EVE@example.com")

    assert (response.status_code, error_code(response)) == (409, "email_taken")
    me = (await client.get("/api/users/me", headers=ada.headers)).json()
    assert (me["email"], me["name"]) == ("ada@example.com", "Ada Lovelace")
    assert await mailbox.mails() == []


async def test_both_addresses_are_told_of_a_change(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    await patch_me(client, ada, email="new@example.com")
    await patch_me(client, ada, email="new@example.com")  # no change, no mail

    mails = await mailbox.mails()
    [old, new] = sorted(mails, key=lambda mail: mail.to)
    assert (old.to, new.to) == ("ada@example.com", "new@example.com")
    assert "is now n***@example.com" in old.text
    assert "new@" not in old.text + new.text


async def test_an_address_changes_three_times_an_hour_by_user_and_by_place(
    start: Callable[..., Awaitable[FastAPI]],
) -> None:
    """Each change mails two people."""
    app = await start(rate_limit_email_change="3/hour")
    here, elsewhere = connect(app), connect(app, "198.51.100.7")
    ada, eve = await register(here), await register(here, "eve@example.com")

    first = [await patch_me(here, ada, email=f"{number}@example.com") for number in range(3)]
    by_user = await patch_me(elsewhere, ada, email="3@example.com")
    by_place = await patch_me(here, eve, email="4@example.com")

    assert [response.status_code for response in first] == [200, 200, 200]
    assert error_code(by_user) == error_code(by_place) == "rate_limited"
    assert int(by_user.headers["retry-after"]) > 3000
    assert (await patch_me(here, ada, name="Ada", email="2@example.com")).status_code == 200


@pytest.mark.parametrize("email", ["jösé@example.com", "用户@example.com"])
async def test_an_owner_may_refuse_what_their_mail_server_can_not_send_to(
    start: Callable[..., Awaitable[FastAPI]], email: str
) -> None:
    client = connect(await start(email_ascii_only=True))
    ada = await register(client, "ada@exämple.com")
    body = {"email": email, "password": PASSWORD}

    refused = [
        await client.post("/api/auth/register", json=body),
        await patch_me(client, ada, email=email),
    ]

    for response in refused:
        assert (response.status_code, error_code(response)) == (400, "validation_failed")
        assert [detail["field"] for detail in response.json()["error"]["details"]] == ["email"]
        assert email not in response.text


async def test_such_addresses_are_taken_unless_the_owner_says_so(client: httpx.AsyncClient) -> None:
    await register(client, "jösé@example.com")


async def change_password(
    client: httpx.AsyncClient, who: Account, current: str = PASSWORD, new: str = OTHER_PASSWORD
) -> httpx.Response:
    body = {"currentPassword": current, "newPassword": new}
    return await client.post("/api/users/me/change-password", json=body, headers=who.headers)


async def test_changing_the_password(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    response = await change_password(client, ada)

    assert (response.status_code, response.json()) == (200, {"message": "Password changed"})
    assert await sign_in(client, password=OTHER_PASSWORD)
    assert (await client.post("/api/auth/login", json=ada.credentials)).status_code == 401
    [mail] = await mailbox.mails()
    assert mail.to == "ada@example.com"
    assert "password was changed" in mail.subject


async def test_the_current_password_must_be_right(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    response = await change_password(client, ada, current=PASSWORD + "x")

    assert response.status_code == 400
    assert "www-authenticate" not in response.headers
    assert response.json() == {
        "error": {"code": "wrong_password", "message": "The current password is wrong."}
    }
    assert await is_signed_in(client, ada)
    assert await sign_in(client)
    assert await mailbox.mails() == []


async def list_users(client: httpx.AsyncClient, who: Account, **params: object) -> dict[str, Any]:
    response = await client.get("/api/users", params=params, headers=who.headers)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def test_an_admin_finds_who_has_an_address(
    client: httpx.AsyncClient, admin: Account, ada: Account
) -> None:
    for query, found in (("ADA@example.com ", [ada.id]), ("nobody@example.com", [])):
        page = await client.get("/api/users", params={"email": query}, headers=admin.headers)
        assert [user["id"] for user in page.json()["users"]] == found
        assert page.json()["total"] == len(found)
    wrong = await client.get("/api/users?email=ada", headers=admin.headers)
    assert (wrong.status_code, error_code(wrong)) == (400, "validation_failed")


@pytest.mark.parametrize("query", ["role=admin", "page=2", "limit=2&mail=x", "LIMIT=2", "%00=1"])
async def test_a_parameter_that_is_not_known_is_refused(
    client: httpx.AsyncClient, admin: Account, query: str
) -> None:
    """Ignored, a filter would show everybody."""
    refused = await client.get(f"/api/users?{query}", headers=admin.headers)

    assert (refused.status_code, error_code(refused)) == (400, "validation_failed")
    assert refused.json()["error"]["details"] == [
        {"field": "query", "message": "has a field that is not known here"}
    ]


async def test_admins_see_all_users_a_page_at_a_time(
    client: httpx.AsyncClient, admin: Account
) -> None:
    emails = ["admin@example.com"]
    for number in range(4):
        emails.append(f"user{number}@example.com")
        await register(client, emails[-1])

    everybody = await list_users(client, admin)
    page = await list_users(client, admin, limit=2, offset=1)

    assert [user["email"] for user in everybody["users"]] == emails
    assert (everybody["total"], everybody["limit"], everybody["offset"]) == (5, 20, 0)
    assert [user["email"] for user in page["users"]] == emails[1:3]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    beyond = await list_users(client, admin, offset=99, limit=100)
    assert (beyond["users"], beyond["total"]) == ([], 5)
    user = everybody["users"][-1]
    moment(user.pop("createdAt"))
    moment(user.pop("updatedAt"))
    UUID(user.pop("id"))
    assert user == {
        "email": "user3@example.com",
        "name": "Ada Lovelace",
        "role": "user",
        "isActive": True,
    }


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "-1"),
        ("limit", "x"),
        ("limit", ""),
        ("limit", "1.5"),
        ("limit", "9" * 5000),
        ("offset", "-1"),
        ("offset", str(2**31)),
        ("offset", "NaN"),
    ],
)
async def test_a_page_has_bounds(
    client: httpx.AsyncClient, admin: Account, parameter: str, value: str
) -> None:
    response = await client.get("/api/users", params={parameter: value}, headers=admin.headers)

    assert (response.status_code, error_code(response)) == (400, "validation_failed")
    assert [detail["field"] for detail in response.json()["error"]["details"]] == [parameter]


async def test_admins_see_one_user(client: httpx.AsyncClient, admin: Account, ada: Account) -> None:
    response = await client.get(f"/api/users/{ada.id}", headers=admin.headers)

    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"id", "email", "name", "role", "isActive", "createdAt", "updatedAt"}
    assert (body["id"], body["email"]) == (ada.id, "ada@example.com")


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_there_may_be_no_such_user(
    client: httpx.AsyncClient, admin: Account, method: str
) -> None:
    body = {"isActive": False} if method == "PATCH" else None

    response = await client.request(
        method, f"/api/users/{uuid4()}", json=body, headers=admin.headers
    )

    assert (response.status_code, response.json()) == (404, NO_SUCH_USER)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_user_id_is_a_uuid(client: httpx.AsyncClient, admin: Account, method: str) -> None:
    body = {"isActive": False} if method == "PATCH" else None
    for user_id in ("x", "7", "%00", "' OR 1=1"):
        response = await client.request(
            method, f"/api/users/{user_id}", json=body, headers=admin.headers
        )
        assert (response.status_code, error_code(response)) == (400, "validation_failed")


async def patch_user(
    client: httpx.AsyncClient, admin: Account, user: Account, **changes: Any
) -> httpx.Response:
    return await client.patch(f"/api/users/{user.id}", json=changes, headers=admin.headers)


async def test_a_new_role_holds_from_the_next_request_on(
    client: httpx.AsyncClient, admin: Account, ada: Account
) -> None:
    response = await patch_user(client, admin, ada, role="admin")
    assert (response.status_code, response.json()["role"]) == (200, "admin")
    assert await list_users(client, ada)

    assert (await patch_user(client, admin, ada, role="user")).json()["role"] == "user"
    refused = await client.get("/api/users", headers=ada.headers)
    assert (refused.status_code, error_code(refused)) == (403, "forbidden")
    assert await is_signed_in(client, ada)


async def test_deactivating_ends_every_session_at_once(
    client: httpx.AsyncClient, admin: Account, ada: Account
) -> None:
    response = await patch_user(client, admin, ada, isActive=False)

    assert (response.status_code, response.json()["isActive"]) == (200, False)
    assert not await is_signed_in(client, ada)
    assert (await try_refresh(client, ada.refresh_token)).status_code == 401
    assert (await client.post("/api/auth/login", json=ada.credentials)).status_code == 401

    assert (await patch_user(client, admin, ada, isActive=True)).json()["isActive"] is True
    assert not await is_signed_in(client, ada)  # what has ended stays ended
    assert await sign_in(client)


async def test_no_change_is_no_change(
    client: httpx.AsyncClient, admin: Account, ada: Account
) -> None:
    for changes in ({}, {"role": "user"}, {"isActive": True}):
        response = await patch_user(client, admin, ada, **changes)
        assert (response.status_code, response.json()["role"]) == (200, "user")
    assert await is_signed_in(client, ada)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "root"}, "role"),
        ({"role": "ADMIN"}, "role"),
        ({"role": 1}, "role"),
        ({"role": None}, "role"),
        ({"isActive": None}, "isActive"),
        ({"isActive": "false"}, "isActive"),
        ({"isActive": 0}, "isActive"),
        ({"email": "eve@example.com"}, "body"),
        ({"is_active": False}, "body"),
    ],
)
async def test_a_change_must_make_sense(
    client: httpx.AsyncClient,
    admin: Account,
    ada: Account,
    change: dict[str, object],
    field: str,
) -> None:
    response = await patch_user(client, admin, ada, **change)

    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["error"]["details"]] == [field]


async def test_admins_do_not_change_themselves(client: httpx.AsyncClient, admin: Account) -> None:
    """Otherwise the last admin could lock everybody out with one request."""
    for change in ({"role": "user"}, {"isActive": False}):
        response = await patch_user(client, admin, admin, **change)
        assert response.status_code == 409
        assert response.json() == {
            "error": {
                "code": "own_account",
                "message": "Ask another admin to change your account.",
            }
        }


async def test_me_is_no_user_id(client: httpx.AsyncClient, admin: Account) -> None:
    assert (await client.get("/api/users/me", headers=admin.headers)).json()["id"] == admin.id
