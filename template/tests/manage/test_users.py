"""Operators' commands on accounts, each seen through the API it acts on."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.accounts.models import User
from app.accounts.passwords import password_problem
from app.accounts.registration import email_taken, new_user
from app.services import Services
from tests.helpers import (
    PASSWORD,
    Tables,
    bearer,
)
from tests.manage.conftest import Manage


def login(api: Callable[..., httpx.Response], email: str, password: str) -> httpx.Response:
    return api("POST", "/api/auth/login", json={"email": email, "password": password})


def test_seed_makes_an_admin_and_a_user_and_shows_each_password_once(
    manage: Manage, api: Callable[..., httpx.Response]
) -> None:
    seeded = manage("seed").data
    assert [(user["email"], user["role"]) for user in seeded] == [
        ("admin@example.com", "admin"),
        ("user@example.com", "user"),
    ]
    for user in seeded:
        assert login(api, user["email"], user["password"]).status_code == 200

    again = manage("seed").data
    assert again == [{"email": u["email"], "role": u["role"]} for u in seeded]
    assert login(api, "user@example.com", seeded[1]["password"]).status_code == 200


def test_a_seed_that_is_overtaken_shows_no_password_that_does_not_work(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overtaken(*_: Any) -> User:
        raise email_taken()

    monkeypatch.setattr("app.manage.data.store", overtaken)
    assert manage("seed").data == [
        {"email": "admin@example.com", "role": "admin"},
        {"email": "user@example.com", "role": "user"},
    ]


@pytest.fixture
def _production(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ENVIRONMENT": "production",
        "BCRYPT_COST": "12",
        "SMTP_HOST": "localhost",
        "EMAIL_FROM": "no-reply@example.com",
        "PASSWORD_RESET_URL": "https://app.example.com/reset-password",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_production")
def test_seed_refuses_production(manage: Manage) -> None:
    outcome = manage("seed")
    assert outcome.exit_code == 1
    assert outcome.out == ""
    assert "hint: make a real one" in outcome.err


def test_create_generates_a_password_and_shows_it_once(
    manage: Manage, api: Callable[..., httpx.Response]
) -> None:
    user = manage("user", "create", " Bob@Example.com", "--name", " Bob ", "--role", "admin").data
    assert user["email"] == "bob@example.com"
    assert (user["name"], user["role"], user["isActive"]) == ("Bob", "admin", True)
    assert password_problem(user["password"]) is None
    assert login(api, "bob@example.com", user["password"]).status_code == 200
    assert "password" not in manage("user", "show", "bob@example.com").data


def test_create_reads_a_password_from_stdin_and_does_not_repeat_it(
    manage: Manage, api: Callable[..., httpx.Response]
) -> None:
    outcome = manage("user", "create", "bob@example.com", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert PASSWORD not in outcome.out + outcome.err
    assert outcome.data["name"] is None
    assert login(api, "bob@example.com", PASSWORD).status_code == 200


def test_an_invitation_shows_no_password(manage: Manage) -> None:
    user = manage("user", "create", "bob@example.com", "--role", "admin", "--invite").data

    assert (user["email"], user["role"], user["invited"]) == ("bob@example.com", "admin", True)
    assert "password" not in user


@pytest.mark.usefixtures("_production")
def test_production_invites_nobody_without_a_mail_server(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert manage("user", "create", "ada@example.com", "--invite").exit_code == 0
    monkeypatch.setenv("SMTP_HOST", "")

    outcome = manage("user", "create", "bob@example.com", "--invite")

    assert (outcome.exit_code, outcome.out) == (1, "")
    assert "SMTP_HOST: is empty, reset links would be printed; name the server" in outcome.err
    monkeypatch.setenv("SMTP_HOST", "localhost")
    assert manage("user", "list").data["total"] == 1


@pytest.mark.parametrize(
    ("arguments", "stdin", "exit_code", "message"),
    [
        (["bob@"], "", 2, "EMAIL must be an e-mail address"),
        (["bob@example.com", "--password-stdin"], "short\n", 2, "at least 8 characters"),
        (["bob@example.com", "--name", " "], "", 2, "1 to 100 characters"),
        (["bob@example.com", "--name", "a\nb"], "", 2, "1 to 100 characters"),
        (["bob@example.com", "--role", "owner"], "", 2, "invalid choice"),
        (["ada@example.com"], "", 1, "ada@example.com: an account with this e-mail address exists"),
        (["ada@example.com", "--invite"], "", 1, "ada@example.com: an account with this"),
        (["bob@example.com", "--invite", "--password-stdin"], f"{PASSWORD}\n", 2, "not allowed"),
    ],
)
def test_create_refuses_what_is_wrong_and_stores_nothing(
    manage: Manage, arguments: list[str], stdin: str, exit_code: int, message: str
) -> None:
    manage("user", "create", "ada@example.com")
    outcome = manage("user", "create", *arguments, stdin=stdin)
    assert outcome.exit_code == exit_code
    assert outcome.out == ""
    assert message in outcome.err
    assert manage("user", "list").data["total"] == 1


def test_of_two_who_create_one_account_at_once_one_is_told(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overtaken(services: Services, *account: Any) -> User:
        slower, faster = [await new_user(services, *account) for _ in range(2)]
        async with services.database.transaction() as db:
            db.add(faster)
        return slower

    monkeypatch.setattr("app.manage.users.new_user", overtaken)
    outcome = manage("user", "create", "ada@example.com")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert "an account with this e-mail address exists" in outcome.err


def test_list_pages_in_order_of_registration(manage: Manage) -> None:
    for name in ("a", "b", "c"):
        manage("user", "create", f"{name}@example.com")
    page = manage("user", "list", "--limit", "1", "--offset", "1").data
    assert [user["email"] for user in page["users"]] == ["b@example.com"]
    assert (page["total"], page["limit"], page["offset"]) == (3, 1, 1)
    for wrong in ("-1", "some", "9" * 10):
        refused = manage("user", "list", "--limit", wrong)
        assert (refused.exit_code, refused.out) == (2, "")
        assert "--limit: not a whole number" in refused.err


def test_deactivating_locks_out_at_once_and_activating_lets_in_again(
    manage: Manage, api: Callable[..., httpx.Response]
) -> None:
    password = manage("user", "create", "ada@example.com").data["password"]
    token = login(api, "ada@example.com", password).json()["accessToken"]

    assert manage("user", "deactivate", "ada@example.com").data["isActive"] is False
    assert api("GET", "/api/users/me", headers=bearer(token)).status_code == 401
    assert login(api, "ada@example.com", password).status_code == 401

    assert manage("user", "activate", "ada@example.com").data["isActive"] is True
    assert api("GET", "/api/users/me", headers=bearer(token)).status_code == 401
    assert login(api, "ada@example.com", password).status_code == 200


def test_set_role(manage: Manage, api: Callable[..., httpx.Response]) -> None:
    password = manage("user", "create", "ada@example.com").data["password"]
    token = login(api, "ada@example.com", password).json()["accessToken"]
    assert api("GET", "/api/users", headers=bearer(token)).status_code == 403
    assert manage("user", "set-role", "ada@example.com", "admin").data["role"] == "admin"
    assert api("GET", "/api/users", headers=bearer(token)).status_code == 200


def test_set_password_ends_every_session(
    manage: Manage, api: Callable[..., httpx.Response]
) -> None:
    old = manage("user", "create", "ada@example.com").data["password"]
    token = login(api, "ada@example.com", old).json()["accessToken"]

    new = manage("user", "set-password", "ada@example.com").data["password"]
    assert api("GET", "/api/users/me", headers=bearer(token)).status_code == 401
    assert login(api, "ada@example.com", old).status_code == 401
    assert login(api, "ada@example.com", new).status_code == 200

    outcome = manage("user", "set-password", "ada@example.com", "--password-stdin", stdin=PASSWORD)
    assert "password" not in outcome.data
    assert login(api, "ada@example.com", PASSWORD).status_code == 200


def test_sessions_are_listed_and_revoked(
    manage: Manage, api: Callable[..., httpx.Response]
) -> None:
    password = manage("user", "create", "ada@example.com").data["password"]
    tokens = [login(api, "ada@example.com", password).json()["accessToken"] for _ in range(3)]
    sessions = manage("user", "sessions", "ada@example.com").data["sessions"]
    assert len(sessions) == 3
    assert sessions[0].keys() == {
        "id", "createdAt", "lastUsedAt", "expiresAt", "userAgent", "ipAddress"
    }  # fmt: skip
    assert manage("user", "show", "ada@example.com").data["sessions"] == 3

    newest = sessions[0]["id"]
    assert manage("user", "revoke", "ada@example.com", "--session", newest).data == {"revoked": 1}
    statuses = [api("GET", "/api/users/me", headers=bearer(t)).status_code for t in tokens]
    assert statuses == [200, 200, 401]
    again = manage("user", "revoke", "ada@example.com", "--session", newest)
    assert again.exit_code == 1
    assert f"has no live session {newest}" in again.err

    assert manage("user", "revoke", "ada@example.com").data == {"revoked": 2}
    assert manage("user", "revoke", "ada@example.com").data == {"revoked": 0}


@pytest.mark.parametrize(
    "command",
    [
        *("show", "activate", "deactivate", "set-password", "sessions", "revoke", "events"),
        *("delete", "export"),
    ],
)
def test_an_unknown_user_is_named_as_such(manage: Manage, command: str) -> None:
    outcome = manage("user", command, "nobody@example.com")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert "error: there is no user nobody@example.com\n" in outcome.err


def test_an_issued_token_works_until_its_session_ends(
    manage: Manage, api: Callable[..., httpx.Response]
) -> None:
    manage("user", "create", "ada@example.com")
    issued = manage("token", "issue", "ada@example.com", "--ttl", "60").data
    assert issued["email"] == "ada@example.com"
    headers = bearer(issued["accessToken"])
    assert api("GET", "/api/users/me", headers=headers).status_code == 200
    sessions = manage("user", "sessions", "ada@example.com").data["sessions"]
    assert [session["id"] for session in sessions] == [issued["sessionId"]]
    assert sessions[0]["expiresAt"] == issued["expiresAt"]
    assert sessions[0]["userAgent"] == "issued by an operator"
    manage("user", "revoke", "ada@example.com")
    assert api("GET", "/api/users/me", headers=headers).status_code == 401


def test_a_token_is_not_issued_when_it_would_not_work(manage: Manage) -> None:
    manage("user", "create", "ada@example.com")
    for ttl in ("0", str(8 * 86400)):
        outcome = manage("token", "issue", "ada@example.com", "--ttl", ttl)
        assert (outcome.exit_code, outcome.out) == (2, "")
        assert "REFRESH_TOKEN_DAYS" in outcome.err
    manage("user", "deactivate", "ada@example.com")
    inactive = manage("token", "issue", "ada@example.com")
    assert (inactive.exit_code, inactive.out) == (1, "")
    assert "user activate ada@example.com" in inactive.err


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 10])
def test_what_is_no_number_is_said_to_be_none(manage: Manage, number: str) -> None:
    outcome = manage("user", "list", f"--limit={number}")
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert f"argument --limit: not a whole number of at most nine digits: '{number}'" in outcome.err


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_password_that_is_not_text_is_refused(manage: Manage, errors: str) -> None:
    """What a pipe brings, in a locale that insists on UTF-8 and in one that does not."""
    pipe = io.TextIOWrapper(io.BytesIO(b"Correct-Horse-\xff7\n"), "utf-8", errors)
    outcome = manage("user", "create", "ada@example.com", "--password-stdin", stdin=pipe)
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert outcome.err == "error: the password is not valid UTF-8\n"


def test_status_tells_of_user_and_session(manage: Manage) -> None:
    user = manage("user", "create", "ada@example.com").data
    session = manage("token", "issue", "ada@example.com").data["sessionId"]
    question = f'{{"sub": "{user["id"]}", "sid": "{session}"}}'

    live = manage("token", "status", stdin=question).data
    assert live["user"]["email"] == "ada@example.com"
    assert live["session"]["revokedAt"] is None

    manage("user", "revoke", "ada@example.com")
    ended = manage("token", "status", stdin=question).data["session"]
    assert ended["revokedReason"] == "revoked_by_operator"
    assert ended["revokedAt"] is not None


def test_status_of_an_unknown_token_is_empty(manage: Manage) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    question = f'{{"sub": "{nobody}", "sid": "{nobody}"}}'
    assert manage("token", "status", stdin=question).data == {"user": None, "session": None}


@pytest.mark.parametrize(
    "stdin", ["", "[]", "{}", '{"sub": 1, "sid": 2}', '{"sub": "x"}', "[" * 9999]
)
def test_status_needs_two_ids(manage: Manage, stdin: str) -> None:
    outcome = manage("token", "status", stdin=stdin)
    assert (outcome.exit_code, outcome.out) == (2, "")


def test_purge_deletes_what_has_expired(
    manage: Manage, api: Callable[..., httpx.Response], database_url: str
) -> None:
    manage("user", "create", "ada@example.com")
    manage("token", "issue", "ada@example.com", "--ttl", "60")
    api("POST", "/api/auth/forgot-password", json={"email": "ada@example.com"})
    none = {"sessions": 0, "passwordResets": 0, "events": 0, "mails": 0}
    assert manage("purge").data.items() >= none.items()
    asyncio.run(age(database_url))
    purged = none | {"sessions": 1, "passwordResets": 1, "mails": 1}
    assert manage("purge").data.items() >= purged.items()


async def age(database_url: str) -> None:
    tables = Tables(database_url)
    await tables.travel(hours=25)
    await tables.close()
