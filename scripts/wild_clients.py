"""The clients of `in_the_wild.py`, and what they count.

Each lives through one account after the other and knows what it has to be answered. What fails
while a part is away is asked again, as real clients do, and must then succeed.
"""

import asyncio
import math
import secrets
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

ME: Final = "/api/users/me"
LOGIN: Final = "/api/auth/login"
REFRESH: Final = "/api/auth/refresh"
LOGOUT: Final = "/api/auth/logout"

PASSWORD: Final = "Correct-Horse-7"  # noqa: S105
THINK_SECONDS: Final = 0.02
RETRY_SECONDS: Final = 0.1
REST: Final = "nothing"

MAY_BE_UNAVAILABLE: Final = {"a column changes its type", "PgBouncer restarts"}
MAY_LOSE_CONNECTIONS: Final = {"nginx restarts", "nginx reloads"}


@dataclass
class Count:
    """What happened during one kind of event."""

    times: int = 0
    requests: int = 0
    unavailable: int = 0
    lost: int = 0
    wrong: int = 0
    gap: float = 0.0
    slowest: float = 0.0

    def row(self, name: str) -> str:
        cells = (name, self.times or "", f"{self.requests:,}", self.wrong, self.unavailable)
        times = (f"{self.gap:.2f} s", f"{self.slowest:.2f} s")
        return "| " + " | ".join(map(str, (*cells, self.lost, *times))) + " |"


@dataclass
class Wrong:
    said: str
    request_id: str = "-"


@dataclass
class Tally:
    """What all clients were answered, by what happened meanwhile."""

    counts: defaultdict[str, Count] = field(default_factory=lambda: defaultdict(Count))
    wrong: list[Wrong] = field(default_factory=list)
    event: str = REST
    is_over: bool = False
    _last_good: float = math.inf

    def good(self) -> None:
        """Notes how long nobody had a good answer."""
        now = time.monotonic()
        count = self.counts[self.event]
        count.gap = max(count.gap, now - self._last_good)
        self._last_good = now

    def is_wrong(self, said: str, request_id: str = "-") -> None:
        self.counts[self.event].wrong += 1
        self.wrong.append(Wrong(f"{time.strftime('%X')}, {self.event}: {said}", request_id))

    def table(self) -> str:
        total = Count()
        for count in self.counts.values():
            for name in ("times", "requests", "unavailable", "lost", "wrong"):
                setattr(total, name, getattr(total, name) + getattr(count, name))
            total.gap = max(total.gap, count.gap)
            total.slowest = max(total.slowest, count.slowest)
        head = (
            "| while | times | requests | wrong | 503 | connections lost | longest gap | slowest |"
        )
        rows = [count.row(name) for name, count in self.counts.items()]
        return "\n".join([head, "| --- |" + " ---: |" * 7, *rows, total.row("all")])


class WrongAnswerError(Exception):
    """Already counted; the client goes on with another account."""


class Client:
    """One of many, with an address of its own: all of 127.0.0.0/8 is this host."""

    def __init__(self, url: str, address: str, tally: Tally) -> None:
        transport = httpx.AsyncHTTPTransport(local_address=address)
        self._http = httpx.AsyncClient(transport=transport, base_url=url, trust_env=False)
        self._http.timeout = httpx.Timeout(30)
        self._address = address
        self._tally = tally

    async def wait_until_healthy(self) -> None:
        while True:
            with suppress(httpx.TransportError):
                if (await self._http.get("/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(RETRY_SECONDS)

    async def live(self) -> None:
        while not self._tally.is_over:
            with suppress(WrongAnswerError):
                await self._use_an_account()
        await self._http.aclose()

    async def _use_an_account(self) -> None:
        credentials = {"email": f"{secrets.token_hex(8)}@example.com", "password": PASSWORD}
        body = {**credentials, "name": "Ada Lovelace"}
        await self._ask("POST", "/api/auth/register", 201, body, again=409)
        for _ in range(3):
            tokens = (await self._ask("POST", LOGIN, 200, credentials)).json()
            tokens = await self._use_a_session(tokens)
            await self._log_out(tokens)
            wrong = {**credentials, "password": "Wrong-Horse-7"}
            await self._ask("POST", LOGIN, 401, wrong)

    async def _use_a_session(self, tokens: Any) -> Any:
        for _ in range(4):
            name = secrets.token_hex(8)
            access = tokens["accessToken"]
            await self._ask("PATCH", ME, 200, {"name": name}, access)
            for _ in range(4):
                me = (await self._ask("GET", ME, 200, None, access)).json()
                self._expect(me["name"] == name, f"the name is {me['name']}, not {name}")
            body = {"refreshToken": tokens["refreshToken"]}
            renewed = await self._ask("POST", REFRESH, 200, body, again=401)
            if renewed.status_code == 401:  # the answer to the first try was lost
                code = renewed.json()["error"]["code"]
                self._expect(code == "refresh_superseded", f"a repeated refresh is {code}")
                return tokens
            tokens = renewed.json()
        return tokens

    async def _log_out(self, tokens: Any) -> None:
        access = tokens["accessToken"]
        listed = (await self._ask("GET", f"{ME}/sessions", 200, None, access)).json()["sessions"]
        addresses = {session["ipAddress"] for session in listed}
        self._expect(addresses == {self._address}, f"the client seems to come from {addresses}")
        body = {"refreshToken": tokens["refreshToken"]}
        await self._ask("POST", LOGOUT, 200, body, access, again=401)
        await self._ask("GET", ME, 401, None, access)
        await self._ask("POST", REFRESH, 401, body)

    async def _ask(
        self,
        method: str,
        path: str,
        status: int,
        body: Any = None,
        token: str = "",
        again: int | None = None,
    ) -> httpx.Response:
        """Ask until it is answered.

        Args:
            status: of the right answer.
            again: of what is right too once a try failed, since it may have been carried out.
        """
        expected = {status}
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        while (response := await self._try(method, path, body, headers)) is None:
            expected.add(again or status)
            await asyncio.sleep(RETRY_SECONDS)
        if response.status_code not in expected:
            said = f"{method} {path} {response.status_code} {response.text[:300]}"
            self._tally.is_wrong(said, response.headers.get("x-request-id", "-"))
            raise WrongAnswerError
        self._tally.good()
        await asyncio.sleep(THINK_SECONDS)
        return response

    async def _try(self, method: str, path: str, body: Any, headers: Any) -> httpx.Response | None:
        """One request; None if it failed because something was away."""
        began, at = self._tally.event, time.monotonic()
        try:
            response = await self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            self._count(at).lost += 1
            if not {began, self._tally.event} & MAY_LOSE_CONNECTIONS:
                self._tally.is_wrong(f"{method} {path}: {error!r}")
            return None
        if response.status_code != 503:
            self._count(at)
            return response
        self._count(at).unavailable += 1
        due = {began, self._tally.event} & MAY_BE_UNAVAILABLE
        if not due or int(response.headers.get("retry-after", "0")) < 1:
            said = f"{method} {path} 503 {response.text[:300]}"
            self._tally.is_wrong(said, response.headers.get("x-request-id", "-"))
        return None

    def _count(self, began_at: float) -> Count:
        count = self._tally.counts[self._tally.event]
        count.requests += 1
        count.slowest = max(count.slowest, time.monotonic() - began_at)
        return count

    def _expect(self, condition: bool, otherwise: str) -> None:
        if not condition:
            self._tally.is_wrong(otherwise)
            raise WrongAnswerError
