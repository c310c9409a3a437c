"""What the log of a real server holds: every event, and no secret."""

import asyncio
import json
import secrets
from typing import Any

import httpx

from app.security_events import SecurityEvent
from tests.helpers import (
    GIVE_UP_SECONDS,
    Account,
    Tables,
    bearer,
    refresh,
    register,
    reset_password,
    sign_in,
    tokens_in,
    try_refresh,
)
from tests.inbox import Inbox, smtp_server
from tests.live import Serve

FORGED_START = "2000-01-01"
FORGERY = f"\r\n{FORGED_START} 00:00:00 [info     ] forged\x1b[2J\x1b]0;owned\x07"
LINE_BREAKS = ("%0D%0A", "%0A", "%0D", "%C2%85", "%E2%80%A8", "%0B", "%0C")


def canary_password() -> str:
    return f"Canary-{secrets.token_hex(8)}-7"


class Canaries:
    """Secrets sent through every route, on success and on failure."""

    def __init__(self, client: httpx.AsyncClient, inbox: Inbox) -> None:
        self._client = client
        self._inbox = inbox
        self.secrets: set[str] = set()
        self.followed = ""
        """The id of a request whose lines are looked for."""

    def password(self) -> str:
        password = canary_password()
        self.secrets.add(password)
        return password

    def note(self, account: Account) -> Account:
        self.secrets |= {account.access_token, account.refresh_token}
        # Half a token is as telling as a whole one.
        self.secrets |= {account.access_token[-43:], account.refresh_token[-43:]}
        return account

    async def live_a_life(self, database: Tables) -> Account:
        """Every endpoint, once with success and once without."""
        client = self._client
        first = self.password()
        account = self.note(await register(client, password=first))
        await self.fail("register", account, password=first)
        await self.fail("login", account, password=self.password())
        successor = self.note(await refresh(client, account))
        successor = self.note(await refresh(client, successor))
        await try_refresh(client, account.refresh_token)  # theft

        account = self.note(await sign_in(client, password=first))
        second = await self.change_password(account, first)
        await client.patch(
            "/api/users/me", json={"email": "ada.l@example.com"}, headers=account.headers
        )
        await client.get("/api/users", headers=account.headers)
        third = await self.reset("ada.l@example.com")
        assert second != third
        account = self.note(await sign_in(client, "ada.l@example.com", third))
        logout = {"refreshToken": account.refresh_token}
        await client.post("/api/auth/logout", json=logout, headers=account.headers)

        admin = self.note(await register(client, "admin@example.com", self.password()))
        await database.promote(admin)
        change = {"role": "admin", "isActive": False}
        path = f"/api/users/{account.id}"
        changed = await client.patch(path, json=change, headers=admin.headers)
        assert changed.status_code == 200
        return admin

    async def fail(self, route: str, account: Account, **body: str) -> None:
        response = await self._client.post(
            f"/api/auth/{route}", json={"email": account.email, **body}
        )
        assert response.status_code in {400, 401, 409}

    async def change_password(self, account: Account, current: str) -> str:
        new = self.password()
        for claimed in (self.password(), current):
            await self._client.post(
                "/api/users/me/change-password",
                json={"currentPassword": claimed, "newPassword": new},
                headers=account.headers,
            )
        return new

    async def reset(self, email: str) -> str:
        await self._client.post("/api/auth/forgot-password", json={"email": email})
        [token] = await self._mailed_tokens()
        self.secrets.add(token)
        new = self.password()
        assert (await reset_password(self._client, token, new)).status_code == 200
        assert (await reset_password(self._client, token, new)).status_code == 400
        return new

    async def _mailed_tokens(self) -> list[str]:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not (tokens := tokens_in("\n".join(self._inbox.texts))):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return tokens

    async def go_everywhere(self, admin: Account) -> None:
        """Every secret in every place of every request that the API knows."""
        document = (await self._client.get("/openapi.json")).json()
        password = self.password()
        for path, operations in document["paths"].items():
            for method in operations:
                url = path.replace("{user_id}", admin.access_token)
                url = url.replace("{session_id}", admin.refresh_token)
                for request in self._wrong_requests(admin, password):
                    response = await self._client.request(method, url, **request)
                    assert response.status_code < 500, response.text
                    assert password not in response.text

    @staticmethod
    def _wrong_requests(admin: Account, password: str) -> list[dict[str, Any]]:
        known = {"password": password, "currentPassword": password, "newPassword": password}
        tokens = {"token": admin.access_token, "refreshToken": admin.access_token}
        typed = {"Content-Type": "application/json"}
        return [
            {"json": {"email": password, **known, **tokens}, "headers": admin.headers},
            {"json": {password: password, "email": f"{password} <a@example.com>"}},
            {"content": f'{{"password": "{password}', "headers": typed},
            {"data": known, "headers": bearer(password)},
            {"params": known | tokens, "headers": {"Authorization": f"Basic {password}"}},
            {
                "headers": {
                    "Cookie": f"session={admin.access_token}",
                    "X-Request-ID": f"{password}!",
                }
            },
        ]


LIFE_EVENTS = {
    SecurityEvent.USER_REGISTERED,
    SecurityEvent.LOGIN_SUCCEEDED,
    SecurityEvent.LOGIN_FAILED,
    SecurityEvent.LOGGED_OUT,
    SecurityEvent.REFRESH_REUSED,
    SecurityEvent.PASSWORD_CHANGED,
    SecurityEvent.PASSWORD_CHANGE_FAILED,
    SecurityEvent.PASSWORD_RESET_REQUESTED,
    SecurityEvent.PASSWORD_RESET,
    SecurityEvent.EMAIL_CHANGED,
    SecurityEvent.ACCESS_DENIED,
    SecurityEvent.ROLE_CHANGED,
    SecurityEvent.USER_DEACTIVATED,
}


async def test_the_console_log_holds_events_but_no_secret_and_no_forged_line(
    serve: Serve, database: Tables
) -> None:
    log, canaries = await log_of_everything(serve, database, log_format="console")

    assert {secret for secret in canaries.secrets if secret in log} == set()
    assert {event for event in LIFE_EVENTS if event not in log} == set()
    assert "\x1b" not in log
    # What was sent stands in its line, escaped; no line begins with it.
    assert "forged" in log
    assert not [line for line in log.splitlines() if line.startswith(FORGED_START)]


async def test_the_json_log_is_one_object_a_line_whoever_writes(
    serve: Serve, database: Tables
) -> None:
    """The workers, their parent, and uvicorn itself; with the id that came with the request."""
    log, canaries = await log_of_everything(serve, database, workers=2, log_format="json")
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.split("\n") if line]

    assert {secret for secret in canaries.secrets if secret in log} == set()
    assert {event.value for event in LIFE_EVENTS} <= {line["event"] for line in lines}
    assert any("parent process" in line["event"] for line in lines)
    assert all(line["timestamp"].endswith("Z") for line in lines)
    followed = [line for line in lines if line.get("request_id") == canaries.followed]
    assert [(line["event"], line["path"], line["status"]) for line in followed] == [
        ("http.request", "/health", 200)
    ]


async def log_of_everything(serve: Serve, database: Tables, **options: Any) -> tuple[str, Canaries]:
    """What a server has written from its start to its end."""
    inbox = Inbox()
    async with smtp_server(inbox) as port:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": str(port), "smtp_starttls": "false"}
        async with serve(**mail, **options) as server, server.client() as client:
            canaries = Canaries(client, inbox)
            admin = await canaries.live_a_life(database)
            await canaries.go_everywhere(admin)
            await send_forgeries(client)
            answer = await client.get("/health")
            canaries.followed = answer.headers["x-request-id"]
    return server.log, canaries


async def send_forgeries(client: httpx.AsyncClient) -> None:
    body = {"email": FORGERY, "password": FORGERY, FORGERY: FORGERY}
    await client.post("/api/auth/login", json=body)
    for line_break in LINE_BREAKS:
        path = f"/{line_break}{FORGED_START}%20forged%1B%5B2J"
        await client.get(path, headers={"X-Request-ID": f"a {FORGED_START}"})
