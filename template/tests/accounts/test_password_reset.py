"""The way back in, and that nobody else finds it (OWASP Forgot Password Cheat Sheet)."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Executable, delete, update
from structlog.testing import capture_logs

from app.accounts import administration, messages
from app.accounts.messages import start_mail
from app.accounts.models import User
from app.foundation.mail import outbox as outbox_module
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    Tables,
    all_mailed,
    connect,
    error_code,
    register,
    request_reset,
    reset_password,
    services_of,
    sign_in,
    tokens_in,
)
from tests.inbox import Inbox, smtp_server


def is_refused(response: httpx.Response) -> bool:
    return (response.status_code, error_code(response)) == (400, "invalid_reset_token")


async def test_a_token_has_256_random_bits(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    tokens = {await request_reset(client, mailbox) for _ in range(5)}

    assert len(tokens) == 5
    assert all(len(token) == 43 for token in tokens)  # 32 bytes in base64


async def test_a_token_works_once(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    token = await request_reset(client, mailbox)
    assert (await reset_password(client, token)).status_code == 200

    assert is_refused(await reset_password(client, token, "Third-Password-9"))
    assert await sign_in(client, password=OTHER_PASSWORD)


async def test_of_parallel_tries_one_succeeds(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    token = await request_reset(client, mailbox)
    tries = [reset_password(client, token, f"{OTHER_PASSWORD}-{number}") for number in range(20)]

    statuses = [response.status_code for response in await asyncio.gather(*tries)]

    assert sorted(statuses) == [200] + [400] * 19


async def test_a_token_lasts_an_hour(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox, database: Tables
) -> None:
    token = await request_reset(client, mailbox)
    await database.travel(minutes=59)
    weak = await reset_password(client, token, "weak")
    assert (weak.status_code, error_code(weak)) == (400, "validation_failed")

    await database.travel(minutes=1, seconds=1)

    assert is_refused(await reset_password(client, token))
    assert await sign_in(client)


async def test_a_token_still_works_after_59_minutes(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox, database: Tables
) -> None:
    token = await request_reset(client, mailbox)
    await database.travel(minutes=59)

    assert (await reset_password(client, token)).status_code == 200


async def test_a_newer_link_leaves_the_earlier_ones_and_using_one_ends_all(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    first, second, third = [await request_reset(client, mailbox) for _ in range(3)]

    assert (await reset_password(client, second)).status_code == 200

    for other in (first, second, third):
        assert is_refused(await reset_password(client, other, "Third-Password-9"))
    assert await sign_in(client, password=OTHER_PASSWORD)


async def test_of_parallel_tries_with_different_links_one_succeeds(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    tokens = [await request_reset(client, mailbox) for _ in range(5)]
    tries = [reset_password(client, token) for token in tokens]

    statuses = [response.status_code for response in await asyncio.gather(*tries)]

    assert sorted(statuses) == [200] + [400] * 4


async def test_requests_of_the_same_moment_all_mail_a_link_that_works(
    client: httpx.AsyncClient, database: Tables, mailbox: Mailbox
) -> None:
    """Whichever mail arrives last."""
    people = [await register(client, f"{n}@example.com") for n in range(4)]
    asks = [client.post("/api/auth/forgot-password", json={"email": p.email}) for p in people * 2]
    await asyncio.gather(*asks)
    tokens = {mail.to: tokens_in(mail.text)[0] for mail in await mailbox.mails()}  # each one's last

    for person in people:
        assert (await reset_password(client, tokens[person.email])).status_code == 200


class LosesItsAnswer(Inbox):
    """Takes the mail, and the first time hangs up before it says so."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        if len(self.mails) == 1:
            server.transport.abort()
        return answer


async def test_a_mail_that_is_tried_again_does_not_void_the_link_that_may_have_arrived(
    start: Callable[..., Any], database: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who has it already never sees the second one: it has the same Message-ID."""
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE_SECONDS", 0.01)
    inbox = LosesItsAnswer()
    async with smtp_server(inbox) as port:
        app = await start(smtp_host="127.0.0.1", smtp_port=port, smtp_starttls=False)
        client = connect(app)
        await register(client)
        await client.post("/api/auth/forgot-password", json={"email": "ada@example.com"})
        async with asyncio.timeout(30):
            while len(inbox.mails) < 2:  # noqa: ASYNC110 - only the inbox tells
                await asyncio.sleep(0.02)
        await all_mailed(services_of(app))

    first, second = inbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert len(await database.resets()) == 1
    assert (await reset_password(client, tokens_in(inbox.texts[0])[0])).status_code == 200


async def test_a_rotation_voids_no_link_that_may_have_arrived(
    start: Callable[..., Any], database: Tables
) -> None:
    inbox = LosesItsAnswer()
    async with smtp_server(inbox) as port:
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_starttls": False}
        old = await start(**smtp)
        await register(connect(old))
        await connect(old).post("/api/auth/forgot-password", json={"email": "ada@example.com"})
        async with asyncio.timeout(30):
            while (await database.mails())[0].attempts == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await services_of(old).outbox.close()
        await database.travel(minutes=5)
        secret = services_of(old).settings.jwt_secret.get_secret_value()
        new = await start(**smtp, jwt_secret=secret[::-1], jwt_previous_secrets=[secret])
        await all_mailed(services_of(new))

    assert len(inbox.mails) == 2
    assert (await reset_password(connect(new), tokens_in(inbox.texts[0])[0])).status_code == 200


async def test_an_account_has_five_live_links_at_most(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox, database: Tables
) -> None:
    tokens = [await request_reset(client, mailbox) for _ in range(5)]
    with capture_logs() as log:
        await client.post("/api/auth/forgot-password", json={"email": ada.email})
        assert len(await mailbox.mails()) == 5

    [dropped] = [line for line in log if line["event"] == "mail.dropped"]
    assert (dropped["kind"], dropped["full"]) == ("password_reset", "links")
    assert len(await database.resets()) == 5
    assert (await reset_password(client, tokens[0])).status_code == 200


async def test_a_token_of_somebody_else_is_not_voided(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    await register(client, "eve@example.com")
    token = await request_reset(client, mailbox)
    eves = await request_reset(client, mailbox, "eve@example.com")
    assert (await reset_password(client, eves)).status_code == 200

    assert (await reset_password(client, token)).status_code == 200


async def test_a_change_of_the_password_voids_a_token(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    token = await request_reset(client, mailbox)
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}
    await client.post("/api/users/me/change-password", json=body, headers=ada.headers)

    assert is_refused(await reset_password(client, token, PASSWORD))


async def test_a_change_of_the_address_voids_a_token(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    token = await request_reset(client, mailbox)
    await client.patch("/api/users/me", json={"email": "new@example.com"}, headers=ada.headers)

    assert is_refused(await reset_password(client, token))


async def test_deactivating_voids_a_token(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    token, services = await request_reset(client, mailbox), services_of(app)
    await administration.update_user(services, UUID(ada.id), is_active=False)
    assert is_refused(await reset_password(client, token))

    await administration.update_user(services, UUID(ada.id), is_active=True)
    assert is_refused(await reset_password(client, token))


async def test_a_user_who_is_inactive_cannot_use_a_token(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox, database: Tables
) -> None:
    token = await request_reset(client, mailbox)
    await database.execute(update(User).values(is_active=False))

    assert is_refused(await reset_password(client, token))


@pytest.mark.parametrize(
    "change",
    [
        update(User).values(is_active=False),
        update(User).values(email="n@example.com"),
        delete(User),
    ],
    ids=["inactive", "moved", "deleted"],
)
async def test_what_changed_before_the_mail_was_written_stops_it(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    mailbox: Mailbox,
    database: Tables,
    change: Executable,
) -> None:
    """The mail may wait for hours: no link goes to an address that was left meanwhile."""
    await services_of(app).outbox.close()
    await client.post("/api/auth/forgot-password", json={"email": ada.email})
    await database.execute(change)
    start_mail(services_of(app))

    assert await mailbox.mails() == []
    assert await database.resets() == []
    assert len(await database.mails()) == 1


async def test_a_change_of_the_password_ends_a_link_that_is_still_to_be_mailed(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    await services_of(app).outbox.close()
    await client.post("/api/auth/forgot-password", json={"email": ada.email})
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}
    await client.post("/api/users/me/change-password", json=body, headers=ada.headers)
    start_mail(services_of(app))

    [mail] = await mailbox.mails()
    assert "password was changed" in mail.subject


async def test_a_change_of_the_password_ends_a_link_that_is_just_being_mailed(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    services = services_of(app)
    await services.outbox.close()
    await client.post("/api/auth/forgot-password", json={"email": ada.email})
    claimed = await services.outbox.queue.claim()
    assert claimed is not None
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}
    await client.post("/api/users/me/change-password", json=body, headers=ada.headers)

    assert await messages._write(services, claimed) is None
    assert await database.resets() == []


async def test_a_password_that_changed_while_the_new_one_was_hashed_wins(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    mailbox: Mailbox,
    database: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the look at the token and its use anything may happen."""
    token = await request_reset(client, mailbox)
    services = services_of(app)
    hash_password = type(services.passwords).hash

    async def deactivate_meanwhile(hasher: Any, password: str) -> str:
        await database.execute(update(User).values(is_active=False))
        return await hash_password(hasher, password)

    monkeypatch.setattr(type(services.passwords), "hash", deactivate_meanwhile)

    assert is_refused(await reset_password(client, token))
    assert [reset.used_at for reset in await database.resets()] == [None]


async def visible(client: httpx.AsyncClient, email: str) -> tuple[Any, ...]:
    response = await client.post("/api/auth/forgot-password", json={"email": email})
    del response.headers["x-request-id"]
    return response.status_code, response.content, sorted(response.headers.items())


@pytest.mark.parametrize("smtp", ["printed", "down"])
async def test_known_unknown_and_inactive_cannot_be_told_apart(
    start: Callable[..., Any], database: Tables, closed_port: int, smtp: str
) -> None:
    down = {"smtp_host": "127.0.0.1", "smtp_port": closed_port, "smtp_starttls": False}
    app = await start(**(down if smtp == "down" else {}))
    client = connect(app)
    await register(client)
    await register(client, "gone@example.com")
    gone = update(User).where(User.email == "gone@example.com").values(is_active=False)
    await database.execute(gone)

    answers = [
        await visible(client, email)
        for email in ("ada@example.com", "nobody@example.com", "gone@example.com")
    ]

    assert answers[0][0] == 200
    assert answers == [answers[0]] * 3


async def test_an_inactive_user_gets_no_mail(
    client: httpx.AsyncClient, ada: Account, mailbox: Mailbox, database: Tables
) -> None:
    await database.execute(update(User).values(is_active=False))

    await visible(client, ada.email)

    assert await mailbox.mails() == []
    assert await database.resets() == []


async def test_the_mail_is_off_the_path_of_the_request(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, mailbox: Mailbox, database: Tables
) -> None:
    """The answer is there before the mail is written, so its time says nothing. It is promised by
    then: the process may be killed."""
    await services_of(app).outbox.close()

    status, *_ = await visible(client, ada.email)

    assert status == 200
    [promised] = await database.mails()
    assert (promised.kind, promised.recipient, promised.user_id) == (
        "password_reset", ada.email, None
    )  # fmt: skip
    assert await database.resets() == []
    start_mail(services_of(app))
    assert len(await mailbox.mails()) == 1


async def test_the_host_of_the_link_comes_from_the_settings(
    start: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    app = await start(password_reset_url="https://app.example.org/reset")
    client, mailbox = connect(app), Mailbox(app, capsys)
    await register(client)
    spoofed = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "Origin": "https://evil.example",
        "Referer": "https://evil.example/",
    }

    body = {"email": "ada@example.com"}
    await client.post("/api/auth/forgot-password", json=body, headers=spoofed)

    [mail] = await mailbox.mails()
    [token] = tokens_in(mail.text)
    assert f"https://app.example.org/reset#token={token}" in mail.text.splitlines()
    assert "evil" not in mail.text
