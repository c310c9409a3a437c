"""What is written down when something happens: the event, whose it is, and why a session ended."""

from collections import defaultdict
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from app.accounts import administration, sessions
from app.accounts.models import RevokedReason
from app.accounts.sessions import opening
from app.accounts.tokens import token_hash
from app.foundation.log import sampling
from app.security_events import SecurityEvent
from tests.helpers import (
    ADDRESS,
    NOBODY,
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
    bearer,
    connect,
    refresh,
    register,
    request_reset,
    reset_password,
    services_of,
    sign_in,
    try_refresh,
)

Log = list[MutableMapping[str, Any]]


@pytest.fixture
def log() -> Iterator[Log]:
    """The lines of this test, as they are before anything renders them."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines


def events(log: Log) -> list[dict[str, Any]]:
    """The security events since the last look: what happened, and to whom."""
    context = {"log_level", "request_id", "client", "session_id", "actor"}
    found = [
        {name: value for name, value in line.items() if name not in context}
        for line in log
        if line["event"] in set(SecurityEvent)
    ]
    log.clear()
    return found


async def test_an_event_says_who_asked_and_from_where(
    client: httpx.AsyncClient, database: Tables, log: Log
) -> None:
    """ASVS 5.0 16.2.1: joined by an id that no client chooses."""
    ada = await register(client)
    (session,) = await database.sessions()
    change = {"currentPassword": PASSWORD, "newPassword": "Difference-1822"}
    headers = {**ada.headers, "X-Request-ID": "chosen"}
    await client.post("/api/users/me/change-password", json=change, headers=headers)
    nobody = {"email": "nobody@example.com", "password": PASSWORD}
    await client.post("/api/auth/login", json=nobody)

    registered, changed, failed = (line for line in log if line["event"] in set(SecurityEvent))
    for line in (registered, changed):
        assert (line["user_id"], line["session_id"]) == (ada.id, str(session.id))
    assert failed["email_hash"] == token_hash("nobody@example.com")
    assert {line["client"] for line in (registered, changed, failed)} == {ADDRESS}
    ids = {line["request_id"] for line in (registered, changed, failed)}
    assert len(ids) == 3
    assert "chosen" not in ids


async def test_what_is_rolled_back_is_no_event(
    client: httpx.AsyncClient,
    ada: Account,
    database: Tables,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.accounts.events.uuid4", lambda: UUID(NOBODY))
    await sign_in(client)
    log.clear()

    failed = await client.post("/api/auth/login", json=ada.credentials)  # the id is taken

    assert failed.status_code == 500
    assert events(log) == []
    kept = [event.event for event in await database.events(ada)]
    assert kept == ["auth.user_registered", "auth.login_succeeded"]


async def test_refused_tokens_are_events(
    client: httpx.AsyncClient, ada: Account, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "_samples", defaultdict(lambda: sampling.Sample(2)))
    refused = {"event": "auth.token_refused"}
    for _ in range(3):
        await client.get("/api/users/me", headers=bearer("forged"))
    assert events(log) == [refused] * 2  # a sample: anybody can cause them

    monkeypatch.setattr(sampling, "_samples", defaultdict(lambda: sampling.Sample(2)))
    for token in ("forged", ada.access_token):
        await try_refresh(client, token)
    assert events(log) == [{"event": "auth.refresh_refused"}] * 2

    monkeypatch.setattr(sampling, "_samples", defaultdict(lambda: sampling.Sample(2)))
    await client.post(
        "/api/auth/logout", json={"refreshToken": ada.refresh_token}, headers=ada.headers
    )
    log.clear()
    await client.get("/api/users/me", headers=ada.headers)
    await try_refresh(client, ada.refresh_token)
    assert events(log) == [
        refused | {"user_id": ada.id},
        {"event": "auth.refresh_refused", "user_id": ada.id},
    ]


def test_a_sample_says_how_much_it_left_out() -> None:
    sample = sampling.Sample(2)

    assert [sample.admit(100.0) for _ in range(5)] == [0, 0, None, None, None]
    assert [sample.admit(159.9), sample.admit(160.0), sample.admit(160.0)] == [None, 4, 0]
    assert sample.admit(300.0) == 0


async def test_refused_hosts_and_origins_are_events(
    start: Callable[..., Any], log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "_samples", defaultdict(lambda: sampling.Sample(2)))
    client = connect(await start(allowed_hosts="api.example.com"))

    await client.get("/api/users/me", headers={"Host": "evil.example"})
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    await client.options("/api/auth/login", headers=origin)

    assert events(log) == [
        {"event": "http.host_refused", "host": "evil.example"},
        {"event": "http.origin_refused", "origin": "https://evil.example"},
    ]


async def test_signing_in_and_out(client: httpx.AsyncClient, log: Log) -> None:
    ada = await register(client)
    assert events(log) == [{"event": "auth.user_registered", "user_id": ada.id}]

    ada = await sign_in(client)
    assert events(log) == [{"event": "auth.login_succeeded", "user_id": ada.id}]

    for email, user_id in ((ada.email, ada.id), ("nobody@example.com", None)):
        await client.post("/api/auth/login", json={"email": email, "password": OTHER_PASSWORD})
        tried = {} if user_id else {"email_hash": token_hash(email)}
        assert events(log) == [{"event": "auth.login_failed", "user_id": user_id} | tried]

    body = {"refreshToken": ada.refresh_token}
    await client.post("/api/auth/logout", json=body, headers=ada.headers)
    assert events(log) == [{"event": "auth.logged_out", "user_id": ada.id}]


async def test_a_theft(client: httpx.AsyncClient, ada: Account, database: Tables, log: Log) -> None:
    stolen = str((await database.sessions())[0].id)
    await refresh(client, await refresh(client, ada))
    await try_refresh(client, ada.refresh_token)

    assert log[-2]["session_id"] == stolen
    assert events(log) == [{"event": "auth.refresh_reused", "user_id": ada.id}]


async def test_ending_sessions(
    client: httpx.AsyncClient, app: FastAPI, ada: Account, database: Tables, log: Log
) -> None:
    services, user_id, reason = services_of(app), UUID(ada.id), RevokedReason.REVOKED_BY_USER
    session_id = (await database.sessions())[0].id
    await sign_in(client)
    await sign_in(client)
    log.clear()

    await sessions.revoke_session(services, user_id, session_id, reason)
    ended = {"event": "auth.sessions_revoked", "user_id": ada.id}
    assert log[-1]["session_id"] == str(session_id)
    assert events(log) == [ended]

    await sessions.revoke_all_sessions(services, user_id, reason)
    assert events(log) == [ended | {"sessions": 2}]


async def test_passwords(
    client: httpx.AsyncClient, app: FastAPI, ada: Account, mailbox: Mailbox, log: Log
) -> None:
    path = "/api/users/me/change-password"
    for current, event in ((OTHER_PASSWORD, "change_failed"), (PASSWORD, "changed")):
        body = {"currentPassword": current, "newPassword": "Difference-1822"}
        await client.post(path, json=body, headers=ada.headers)
        assert events(log)[-1] == {"event": f"auth.password_{event}", "user_id": ada.id}

    await client.post("/api/auth/forgot-password", json={"email": "nobody@example.com"})
    requested = {"event": "auth.password_reset_requested"}
    tried = {"email_hash": token_hash("nobody@example.com")}
    assert events(log) == [requested | {"user_id": None} | tried]
    token = await request_reset(client, mailbox)
    assert events(log) == [requested | {"user_id": ada.id}]
    await reset_password(client, token)
    assert events(log) == [{"event": "auth.password_reset", "user_id": ada.id}]

    await administration.set_password(services_of(app), UUID(ada.id), OTHER_PASSWORD)
    assert events(log) == [{"event": "auth.password_changed", "user_id": ada.id}]


async def test_changes_of_an_account(
    client: httpx.AsyncClient, ada: Account, admin: Account, log: Log
) -> None:
    await client.patch("/api/users/me", json={"email": "ada@example.org"}, headers=ada.headers)
    assert events(log)[-1] == {"event": "auth.email_changed", "user_id": ada.id}

    path = f"/api/users/{ada.id}"
    await client.get(path, headers=ada.headers)
    assert events(log) == [{"event": "auth.access_denied", "user_id": ada.id}]

    for change, event in (
        ({"role": "admin"}, {"event": "auth.role_changed", "role": "admin"}),
        ({"isActive": False}, {"event": "auth.user_deactivated"}),
        ({"isActive": True}, {"event": "auth.user_activated"}),
    ):
        await client.patch(path, json=change, headers=admin.headers)
        assert events(log) == [event | {"user_id": ada.id}]


@pytest.mark.parametrize("reason", RevokedReason)
async def test_why_a_session_ended(
    client: httpx.AsyncClient,
    ada: Account,
    database: Tables,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    reason: RevokedReason,
) -> None:
    services, user_id = mailbox.services, UUID(ada.id)
    match reason:
        case RevokedReason.LOGOUT:
            body = {"refreshToken": ada.refresh_token}
            await client.post("/api/auth/logout", json=body, headers=ada.headers)
        case RevokedReason.REVOKED_BY_USER | RevokedReason.REVOKED_BY_OPERATOR:
            await sessions.revoke_all_sessions(services, user_id, reason)
        case RevokedReason.REFRESH_REUSED:
            await refresh(client, await refresh(client, ada))
            await try_refresh(client, ada.refresh_token)
        case RevokedReason.PASSWORD_CHANGED:
            await administration.set_password(services, user_id, OTHER_PASSWORD)
        case RevokedReason.PASSWORD_RESET:
            await reset_password(client, await request_reset(client, mailbox))
        case RevokedReason.DEACTIVATED:
            await administration.update_user(services, user_id, is_active=False)
        case RevokedReason.TOO_MANY:
            monkeypatch.setattr(opening, "MAX_LIVE", 1)
            await sign_in(client)

    session, *_ = await database.sessions()
    assert session.revoked_reason == reason
    assert session.revoked_at is not None
