"""Passwords: what bcrypt is given, where it runs, and how much of it at once."""

import asyncio
import secrets
import threading
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import bcrypt
import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, update

from app.accounts.models import User
from app.accounts.passwords import (
    MAX_BYTES,
    MAX_QUEUED,
    PasswordHasher,
    normalise,
    password_problem,
)
from tests.helpers import (
    GIVE_UP_SECONDS,
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
    connect,
    error_code,
    register,
    request_reset,
    reset_password,
    services_of,
    sign_in,
)


@pytest.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    hasher = PasswordHasher(4)
    yield hasher
    hasher.close()


async def test_the_default_is_bcrypt_at_twelve_with_a_salt() -> None:
    hasher = PasswordHasher(12)
    one, two = [await hasher.hash(PASSWORD) for _ in range(2)]
    hasher.close()

    assert one.startswith("$2b$12$")
    assert len(one) == 60
    assert one != two


async def test_what_is_stored_is_the_hash(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    stored = (await database.user()).password_hash

    assert stored.startswith("$2b$04$")
    assert bcrypt.checkpw(PASSWORD.encode(), stored.encode())


async def test_all_72_bytes_count_and_none_is_cut(hasher: PasswordHasher) -> None:
    longest = "Aa7" + "é" * 34 + "x"
    assert len(longest.encode()) == MAX_BYTES
    stored = await hasher.hash(longest)

    assert await hasher.verify(longest, stored)
    assert not await hasher.verify(longest[:-1] + "y", stored)
    assert not await hasher.verify(longest[:-1], stored)
    assert not await hasher.verify(longest + "x", stored)
    assert not await hasher.verify(longest + "\x00", stored)


async def test_a_password_is_the_same_however_it_was_typed(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    """NFKC when setting as when checking, wherever it is set."""
    composed, decomposed, wide = (
        "Größe-Café-7",
        unicodedata.normalize("NFD", "Größe-Café-7"),
        "\uff27",
    )
    assert composed != decomposed
    ada = await register(client, password=decomposed)
    assert await sign_in(client, password=composed)
    assert await sign_in(client, password=decomposed)
    assert await sign_in(client, password=composed.replace("G", wide))

    change = {"currentPassword": composed, "newPassword": "\uff2eew-" + decomposed}
    path = "/api/users/me/change-password"
    assert (await client.post(path, json=change, headers=ada.headers)).status_code == 200
    assert await sign_in(client, password="New-" + composed)

    await reset_password(client, await request_reset(client, mailbox), "\uff21gain-" + decomposed)
    assert await sign_in(client, password="Again-" + composed)


async def test_nobody_has_no_password(hasher: PasswordHasher) -> None:
    for password in ("", "x", PASSWORD, "." * 31):
        assert not await hasher.verify(password, None)


async def test_what_is_no_hash_is_opened_by_no_password(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    """An account that was imported without a password, say."""
    for stored in ("", "!", "$2b$", "plain", PASSWORD):
        await database.execute(update(User).values(password_hash=stored))
        for password in (PASSWORD, stored or "x"):
            body = {"email": ada.email, "password": password}
            response = await client.post("/api/auth/login", json=body)
            assert (response.status_code, error_code(response)) == (401, "invalid_credentials")


def test_the_rules_hold_for_what_is_hashed() -> None:
    assert password_problem("\uff30assw\uff10rd") == "is one of the most common passwords"
    assert password_problem("\uff23orrect-Horse-7") is None


@pytest.mark.parametrize(
    "password",
    [
        *("Password1!", "P@ssw0rd1!", "1Password!", "Pa55word!2024", "P.a.s.s.w.o.r.d.1"),
        *("We1come2024!", "Dragon1!!", "Qwerty123$", "Adm1n2024!", "Test1234!"),
    ],
)
def test_a_common_password_stays_one_however_it_is_decorated(password: str) -> None:
    assert password_problem(password) == "is one of the most common passwords"


OWN = ["Ada.Lovelace1", "Ada-L0velace-1815", "Ada.Lovelace@example.com1", "My-Api-2027"]


@pytest.mark.parametrize("password", OWN)
async def test_a_password_is_not_what_everybody_knows_of_its_user(
    start: Callable[..., Any], capsys: pytest.CaptureFixture[str], password: str
) -> None:
    app = await start(app_name="My API")
    client, email = connect(app), "ada.lovelace@example.com"
    problem = "must not be your address or the name of this service"

    def assert_refused(response: httpx.Response, field: str) -> None:
        assert (response.status_code, error_code(response)) == (400, "validation_failed")
        assert response.json()["error"]["details"] == [{"field": field, "message": problem}]

    body = {"email": email, "password": password}
    assert_refused(await client.post("/api/auth/register", json=body), "password")
    ada = await register(client, email)
    change = {"currentPassword": PASSWORD, "newPassword": password}
    path = "/api/users/me/change-password"
    assert_refused(await client.post(path, json=change, headers=ada.headers), "newPassword")
    token = await request_reset(client, Mailbox(app, capsys), email)
    assert_refused(await reset_password(client, token, password), "newPassword")
    assert (await reset_password(client, token)).status_code == 200  # the link is still good


@given(st.text())
def test_what_is_accepted_keeps_every_rule(password: str) -> None:
    if password_problem(password) is None:
        assert len(password) >= 8
        assert len(normalise(password)) <= MAX_BYTES
        assert any(map(str.isupper, password))
        assert any(map(str.islower, password))
        assert any(map(str.isdigit, password))
        assert "\x00" not in password


@given(st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: f"Aa7-{text}-x9"))
def test_what_is_accepted_can_be_hashed(password: str) -> None:
    if password_problem(password) is None:
        bcrypt.hashpw(normalise(password), bcrypt.gensalt(4))


@given(st.text(st.characters(codec="utf-8")))
def test_normalising_twice_is_normalising_once(password: str) -> None:
    assert normalise(normalise(password).decode()) == normalise(password)


class Gate:
    """Stands in for bcrypt's work: holds whoever hashes until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self._open = threading.Event()
        self._hashing = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._real = getattr(bcrypt, name)
        self.threads: list[threading.Thread] = []
        monkeypatch.setattr(bcrypt, name, self._work)

    def _work(self, *arguments: bytes) -> object:
        self.threads.append(threading.current_thread())
        self._loop.call_soon_threadsafe(self._hashing.set)
        assert self._open.wait(GIVE_UP_SECONDS)
        return self._real(*arguments)

    async def someone_hashes(self) -> None:
        await asyncio.wait_for(self._hashing.wait(), GIVE_UP_SECONDS)

    def open(self) -> None:
        self._open.set()


async def test_a_read_is_answered_while_a_password_is_hashed(
    client: httpx.AsyncClient, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, "checkpw")
    login = asyncio.create_task(client.post("/api/auth/login", json=ada.credentials))
    await gate.someone_hashes()

    me = await client.get("/api/users/me", headers=ada.headers)

    assert (me.status_code, login.done()) == (200, False)
    gate.open()
    assert (await login).status_code == 200
    assert gate.threads[0] is not threading.main_thread()


@pytest.mark.parametrize("path", ["register", "login", "change-password", "reset-password"])
async def test_no_connection_is_held_while_hashing(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    token = await request_reset(client, mailbox)
    bodies = {
        "register": ("/api/auth/register", {"email": "x@example.com", "password": PASSWORD}),
        "login": ("/api/auth/login", ada.credentials),
        "change-password": (
            "/api/users/me/change-password",
            {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD},
        ),
        "reset-password": (
            "/api/auth/reset-password",
            {"token": token, "newPassword": OTHER_PASSWORD},
        ),
    }
    name = "checkpw" if path in {"login", "change-password"} else "hashpw"
    gate = Gate(monkeypatch, name)
    url, body = bodies[path]
    request = asyncio.create_task(client.post(url, json=body, headers=ada.headers))
    await gate.someone_hashes()

    pool = services_of(app).database.engine.pool
    assert pool.checkedout() == 0  # type: ignore[attr-defined]

    gate.open()
    assert (await request).is_success


async def test_a_storm_of_logins_ends_in_503_and_not_in_a_queue(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, "checkpw")
    crowd = range(MAX_QUEUED + 3)  # of as many people, and addresses
    for number in crowd:
        await register(connect(app, f"203.0.113.{number}"), f"user{number}@example.com")
    logins = [
        asyncio.create_task(sign_in_from(connect(app, f"203.0.113.{number}"), number))
        for number in crowd
    ]
    refused, _ = await asyncio.wait(logins, return_when=asyncio.FIRST_COMPLETED)
    while len(refused) < 3:
        refused, _ = await asyncio.wait(logins, timeout=0.01)

    for response in [login.result() for login in refused]:
        assert (response.status_code, error_code(response)) == (503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1
    assert (await client.get("/api/users/me", headers=ada.headers)).status_code == 200
    gate.open()
    statuses = [(await login).status_code for login in logins]
    assert sorted(statuses) == [200] * MAX_QUEUED + [503] * 3
    assert await sign_in(client)  # the queue is empty again


async def sign_in_from(client: httpx.AsyncClient, number: int) -> httpx.Response:
    body = {"email": f"user{number}@example.com", "password": PASSWORD}
    return await client.post("/api/auth/login", json=body)


@pytest.fixture
async def full_queue(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """As many hashes under way as may be."""
    gate = Gate(monkeypatch, "checkpw")
    hasher = services_of(app).passwords
    queue = [asyncio.create_task(hasher.verify(PASSWORD, None)) for _ in range(MAX_QUEUED)]
    await gate.someone_hashes()
    yield
    gate.open()
    await asyncio.gather(*queue)


@pytest.fixture
def statements(app: FastAPI) -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    asked: list[str] = []
    engine = services_of(app).database.engine.sync_engine
    listener = (engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    event.listen(*listener)
    yield asked
    event.remove(*listener)


HASHING = {
    "/api/auth/register": {"email": "eve@example.com", "password": PASSWORD},
    "/api/auth/login": {"email": "eve@example.com", "password": PASSWORD},
    "/api/auth/reset-password": {"token": "x", "newPassword": PASSWORD},
    "/api/users/me/change-password": {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD},
}


@pytest.mark.usefixtures("full_queue")
@pytest.mark.parametrize(("path", "body"), HASHING.items())
async def test_who_is_refused_for_a_full_queue_costs_no_query(
    client: httpx.AsyncClient,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    body: dict[str, str],
) -> None:
    # Not all are told the same: a crowd that was refused together would return together.
    waits = iter((0, 2, 1))
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(waits))

    refused = [await client.post(path, json=body) for _ in range(3)]

    for response in refused:
        assert (response.status_code, error_code(response)) == (503, "unavailable")
    assert [response.headers["retry-after"] for response in refused] == ["2", "4", "3"]
    assert statements == []


async def test_a_hash_that_fails_leaves_the_queue(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: bytes) -> bytes:
        raise ValueError("out of memory")

    monkeypatch.setattr(bcrypt, "hashpw", fail)
    for _ in range(MAX_QUEUED + 1):
        with pytest.raises(ValueError, match="memory"):
            await hasher.hash(PASSWORD)
    monkeypatch.undo()

    assert await hasher.hash(PASSWORD)
