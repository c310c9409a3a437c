"""What is written down when something happens: the event, whose it is, and why a session ended."""

from collections.abc import Iterator, MutableMapping
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.accounts import administration, sessions
from app.accounts.models import RevokedReason
from app.accounts.sessions import opening
from app.security_events import SecurityEvent
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
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
    with capture_logs() as lines:
        yield lines


def events(log: Log) -> list[dict[str, Any]]:
    """The security events since the last look, without their level."""
    found = [dict(line) for line in log if line["event"] in set(SecurityEvent)]
    for line in found:
        del line["log_level"]
    log.clear()
    return found


async def test_signing_in_and_out(client: httpx.AsyncClient, log: Log) -> None:
    ada = await register(client)
    assert events(log) == [{"event": "auth.user_registered", "user_id": ada.id}]

    ada = await sign_in(client)
    assert events(log) == [{"event": "auth.login_succeeded", "user_id": ada.id}]

    for email, user_id in ((ada.email, ada.id), ("nobody@example.com", None)):
        await client.post("/api/auth/login", json={"email": email, "password": OTHER_PASSWORD})
        assert events(log) == [{"event": "auth.login_failed", "user_id": user_id}]

    body = {"refreshToken": ada.refresh_token}
    await client.post("/api/auth/logout", json=body, headers=ada.headers)
    assert events(log) == [{"event": "auth.logged_out", "user_id": ada.id}]


async def test_a_theft(client: httpx.AsyncClient, ada: Account, database: Tables, log: Log) -> None:
    stolen = str((await database.sessions())[0].id)
    await refresh(client, await refresh(client, ada))
    await try_refresh(client, ada.refresh_token)

    reused = {"event": "auth.refresh_reused", "user_id": ada.id, "session_id": stolen}
    assert events(log) == [reused]


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
    assert events(log) == [ended | {"session_id": str(session_id)}]

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
    assert events(log) == [{"event": "auth.password_reset_requested", "user_id": None}]
    token = await request_reset(client, mailbox)
    assert events(log) == [{"event": "auth.password_reset_requested", "user_id": ada.id}]
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
