"""An invitation: nobody sees a password, and its link opens the account once, for a week."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.accounts import administration
from app.accounts.messages import start_mail
from app.accounts.models import AccountEvent, Role, User
from app.accounts.passwords import NO_PASSWORD
from app.manage.users import store
from app.services import Services
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Mailbox,
    Tables,
    connect,
    error_code,
    request_reset,
    reset_password,
    services_of,
    sign_in,
)

BOB = "bob@example.com"


async def invite(services: Services) -> User:
    return await store(services, BOB, None, "Bob", Role.USER)


async def test_who_is_invited_sets_a_password_by_the_link(
    app: FastAPI, client: httpx.AsyncClient, mailbox: Mailbox, database: Tables
) -> None:
    user = await invite(services_of(app))

    for guess in (NO_PASSWORD, PASSWORD):
        refused = await client.post("/api/auth/login", json={"email": BOB, "password": guess})
        assert (refused.status_code, error_code(refused)) == (401, "invalid_credentials")
    [mail] = await mailbox.mails()
    assert mail.to == BOB
    assert "within 7 days" in mail.text
    token = await mailbox.reset_token()
    assert token not in await database.dump()
    assert (await reset_password(client, token)).status_code == 200
    assert (await sign_in(client, BOB, OTHER_PASSWORD)).id == str(user.id)
    again = await reset_password(client, token, PASSWORD)
    assert (again.status_code, error_code(again)) == (400, "invalid_reset_token")


async def test_an_invitation_lives_for_a_week(
    app: FastAPI, client: httpx.AsyncClient, mailbox: Mailbox, database: Tables
) -> None:
    await invite(services_of(app))
    token = await mailbox.reset_token()
    await database.travel(days=6, hours=23)
    weak = await reset_password(client, token, "weak")
    assert error_code(weak) == "validation_failed"

    await database.travel(hours=1)

    assert error_code(await reset_password(client, token)) == "invalid_reset_token"
    newer = await request_reset(client, mailbox, BOB)  # who comes later
    assert (await reset_password(client, newer)).status_code == 200


async def test_an_invitation_works_to_its_last_day(
    app: FastAPI, client: httpx.AsyncClient, mailbox: Mailbox, database: Tables
) -> None:
    await invite(services_of(app))
    token = await mailbox.reset_token()

    await database.travel(days=6, hours=23)

    assert (await reset_password(client, token)).status_code == 200


async def test_an_invitation_counts_for_its_mailbox(
    start: Callable[..., Any], database: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    app = await start(rate_limit_mailbox="1/hour")
    mailbox = Mailbox(app, capsys)
    await connect(app).post("/api/auth/forgot-password", json={"email": BOB})
    assert await mailbox.mails() == []  # for nobody, and counted

    await invite(services_of(app))

    assert await mailbox.mails() == []
    waiting = [mail for mail in await database.mails() if mail.not_before]
    assert [mail.kind for mail in waiting] == ["invitation"]
    await database.travel(hours=1)
    assert [mail.to for mail in await mailbox.mails()] == [BOB]


@pytest.mark.parametrize("change", ["password", "deactivated", "address"])
async def test_what_happens_to_the_account_meanwhile_ends_the_invitation(
    app: FastAPI, mailbox: Mailbox, database: Tables, change: str
) -> None:
    services = services_of(app)
    await services.outbox.close()
    user = await invite(services)
    if change == "password":
        await administration.set_password(services, user.id, PASSWORD)
    elif change == "deactivated":
        await administration.update_user(services, user.id, is_active=False)
    else:
        await database.execute(update(User).values(email="eve@example.com"))

    start_mail(services)

    assert await mailbox.mails() == []
    assert await database.resets() == []


async def test_an_invitation_is_an_event(app: FastAPI, database: Tables) -> None:
    await invite(services_of(app))

    [event] = await database.fetch_all(AccountEvent.__table__.select())
    assert event.event == "auth.user_created"
    assert event.details == {"role": "user", "invited": True}
