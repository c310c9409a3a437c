"""What has a place in a mailbox, and in the queue: nobody takes that of another."""

import asyncio
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from app.accounts import administration
from app.accounts.messages import start_mail
from app.foundation.database import utc_now
from app.foundation.mail import MailRefused, QueuedMail
from app.foundation.mail import queue as queue_module
from app.foundation.mail.outbox import MAX_ATTEMPTS
from app.foundation.mail.queue import LEASE
from tests.foundation.mail.conftest import Start
from tests.foundation.mail.flaky import (
    FlakyMailer,
    all_mailed_now,
    change_password,
    forgot,
    restarted,
)
from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Tables,
    all_mailed,
    connect,
    register,
    services_of,
)


async def leave(client: httpx.AsyncClient, who: Account) -> None:
    body = {"currentPassword": PASSWORD}
    left = await client.request("DELETE", "/api/users/me", json=body, headers=who.headers)
    assert left.status_code == 200


async def promise(app: FastAPI, database: Tables, kind: str, count: int, who: Account) -> None:
    """As many mails about somebody, from wherever they come."""
    async with database.transaction() as db:
        for _ in range(count):
            await services_of(app).outbox.promise(db, kind, who.email, user_id=UUID(who.id))


def kinds_of(mailer: FlakyMailer) -> list[str]:
    about = ("Reset", "password was changed", "address was changed")
    return sorted(word for mail in mailer.delivered for word in about if word in mail.subject)


# What counts


@pytest.fixture
async def confirming(start: Start, monkeypatch: pytest.MonkeyPatch) -> tuple[FastAPI, FlakyMailer]:
    app = await start(rate_limit_mailbox="5/hour", email_change="confirm")
    mailer = FlakyMailer()
    monkeypatch.setattr(services_of(app).outbox, "_mailer", mailer)
    return app, mailer


async def test_who_names_the_address_of_another_takes_no_place_in_their_mailbox(
    confirming: tuple[FastAPI, FlakyMailer],
) -> None:
    app, mailer = confirming
    client = connect(app)
    ada = await register(client)
    for number in range(2):
        eve = await register(client, f"eve{number}@example.com")
        for _ in range(3):
            named = {"email": ada.email}
            asked = await client.patch("/api/users/me", json=named, headers=eve.headers)
            assert asked.status_code == 200
    await all_mailed(services_of(app))
    assert mailer.delivered == []

    for _ in range(5):
        await forgot(client, ada.email)
    await all_mailed(services_of(app))
    assert mailer.recipients == [ada.email] * 5


@pytest.mark.parametrize("minutes", [12, 15, 40, 60, 240])
async def test_whenever_a_request_finds_no_room_a_link_in_the_mailbox_works(
    start: Start, database: Tables, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """A stranger asks every other minute, for an hour and more. Five mails in any hour."""
    app = await start(rate_limit_mailbox="5/hour", password_reset_minutes=minutes)
    mailer = FlakyMailer()
    monkeypatch.setattr(services_of(app).outbox, "_mailer", mailer)
    client = connect(app)
    ada = await register(client)
    for number in range(45):
        await forgot(client, ada.email)
        await all_mailed(services_of(app))
        assert [reset for reset in await database.resets() if reset.expires_at > utc_now()]
        if number == 29:
            assert 1 <= len(mailer.delivered) <= 5
        await database.travel(minutes=2)


async def test_a_mail_that_was_given_up_takes_no_place_and_no_link(
    limited: tuple[FastAPI, FlakyMailer], database: Tables
) -> None:
    app, mailer = limited
    client = connect(app)
    ada = await register(client)
    mailer.failures = [MailRefused("the mail server answered 550")] * 5
    for _ in range(6):
        await forgot(client, ada.email)
        await all_mailed(services_of(app))

    assert mailer.recipients == [ada.email]
    assert len(await database.resets()) == 1


async def test_warnings_leave_a_place_to_a_link_and_one_to_other_warnings(
    limited: tuple[FastAPI, FlakyMailer], database: Tables
) -> None:
    app, mailer = limited
    client = connect(app)
    ada = await register(client)
    await promise(app, database, "password_changed", 5, ada)
    await restarted(services_of(app))
    await promise(app, database, "email_changed", 2, ada)
    await restarted(services_of(app))
    await forgot(client, ada.email)
    await all_mailed(services_of(app))

    assert kinds_of(mailer) == ["Reset", "address was changed", *["password was changed"] * 3]


@pytest.mark.parametrize("minutes", [1, 60])
async def test_no_warning_waits_for_ever_while_a_stranger_asks(
    start: Start, database: Tables, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """They fill the mailbox, take the account over, and go on asking."""
    app = await start(rate_limit_mailbox="5/hour", password_reset_minutes=minutes)
    mailer = FlakyMailer()
    monkeypatch.setattr(services_of(app).outbox, "_mailer", mailer)
    ada = await register(connect(app))
    for number in range(40):
        if number == 20:
            await change_password(connect(app), ada)
        await forgot(connect(app), ada.email)
        await all_mailed_now(services_of(app))
        await database.travel(minutes=3)

    subjects = [mail.subject for mail in mailer.delivered]
    assert len([subject for subject in subjects if "password was changed" in subject]) == 1
    assert "Reset" in subjects[-1]


# The queue


async def test_warnings_of_one_kind_do_not_keep_out_another(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await services_of(app).outbox.close()
    for number in range(24):
        passwords = (PASSWORD, OTHER_PASSWORD)[:: -1 if number % 2 else 1]
        body = dict(zip(("currentPassword", "newPassword"), passwords, strict=True))
        changed = await client.post("/api/users/me/change-password", json=body, headers=ada.headers)
        assert changed.status_code == 200
    moved = await client.patch("/api/users/me", json={"email": "n@x.co"}, headers=ada.headers)
    assert moved.status_code == 200

    kinds = [(mail.kind, mail.recipient) for mail in await database.mails()]
    assert ("email_changed", ada.email) in kinds
    assert len(kinds) == queue_module.MOST_OF_A_KIND + 2


async def test_one_account_puts_a_bounded_number_of_mails_there(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await services_of(app).outbox.close()
    for number in range(9):
        body = {"email": f"{number}@example.com"}
        await client.patch("/api/users/me", json=body, headers=ada.headers)

    kept = await database.mails()
    assert len(kept) == 2 * queue_module.MOST_OF_A_KIND
    assert kept[0].recipient == ada.email  # the earliest
    assert {mail.user_id for mail in kept} == {UUID(ada.id)}


async def test_accounts_that_come_and_go_put_a_bounded_number_there_for_a_mailbox(
    app: FastAPI, client: httpx.AsyncClient, database: Tables
) -> None:
    await services_of(app).outbox.close()
    for _ in range(9):
        ada = await register(client)
        await change_password(client, ada)
        body = {"currentPassword": OTHER_PASSWORD}
        await client.request("DELETE", "/api/users/me", json=body, headers=ada.headers)

    kinds = [mail.kind for mail in await database.mails()]
    assert {kinds.count(kind) for kind in kinds} == {queue_module.MOST_OF_A_KIND}


async def test_accounts_that_come_and_go_put_a_bounded_number_there_in_all(
    app: FastAPI,
    client: httpx.AsyncClient,
    database: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue_module, "MOST_REQUESTED", 3)
    await services_of(app).outbox.close()
    for number in range(6):
        ada = await register(client, f"{number}@example.com")
        await promise(app, database, "email_changed", 1, ada)
        await leave(client, ada)

    assert len(await database.mails()) <= 4  # the last one's own, and what made the queue full


async def test_who_leaves_does_not_empty_the_mailbox_s_hour(
    limited: tuple[FastAPI, FlakyMailer],
) -> None:
    app, mailer = limited
    for _ in range(4):
        ada = await register(connect(app))
        await change_password(connect(app), ada)
        body = {"currentPassword": OTHER_PASSWORD}
        await connect(app).request("DELETE", "/api/users/me", json=body, headers=ada.headers)
        await all_mailed_now(services_of(app))

    assert len(mailer.delivered) == 4


@pytest.mark.parametrize("end", ["leaves", "changes the password"])
async def test_what_is_taken_back_while_it_is_sent_counts(
    limited: tuple[FastAPI, FlakyMailer], end: str
) -> None:
    app, mailer = limited
    client = connect(app)
    for _ in range(7):
        ada = await register(client)
        mailer.gate.clear()
        await (change_password(client, ada) if end == "leaves" else forgot(client))
        for _ in range(50):  # over the limit none is sent
            if mailer.busy:
                break
            await asyncio.sleep(0.01)
        if end != "leaves":
            await change_password(client, ada)
        body = {"currentPassword": OTHER_PASSWORD}
        await client.request("DELETE", "/api/users/me", json=body, headers=ada.headers)
        mailer.gate.set()
        await all_mailed_now(services_of(app))

    assert 4 <= len(mailer.delivered) <= 5


async def test_a_flood_of_promises_does_not_hold_up_what_anybody_may_ask_for(
    app: FastAPI, client: httpx.AsyncClient, database: Tables
) -> None:
    services = services_of(app)
    await services.outbox.close()
    async with database.transaction() as db:
        flood = {"kind": "account_deleted", "on_request": False}
        db.add_all(QueuedMail(**flood, recipient=f"{n}@example.com") for n in range(50))
    await forgot(client)

    claimed = [await services.outbox.queue.claim() for _ in range(4)]
    assert "password_reset" in [mail.kind for mail in claimed if mail]


# Put off, tried too often, done


async def test_who_keeps_dying_over_a_mail_gives_it_up(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables, mailer: FlakyMailer
) -> None:
    services = services_of(app)
    await services.outbox.close()
    await change_password(client, ada)
    for _ in range(MAX_ATTEMPTS):
        assert await services.outbox.queue.claim()
        await database.travel(seconds=LEASE.total_seconds())
    await restarted(services)

    [mail] = await database.mails()
    assert mail.not_before is None
    assert mailer.delivered == []


async def test_a_mail_that_waits_for_a_place_is_not_late(
    limited: tuple[FastAPI, FlakyMailer], database: Tables
) -> None:
    app, mailer = limited
    client = connect(app)
    ada = await register(client)
    for _ in range(5):
        await forgot(client)
    await all_mailed(services_of(app))
    await change_password(client, ada)
    await all_mailed_now(services_of(app))
    await database.travel(minutes=30)

    queue = services_of(app).outbox.queue
    assert len(mailer.delivered) == 5
    assert await queue.oldest() is None
    assert (await client.get("/health/ready")).json()["oldestMailSeconds"] == 0
    await services_of(app).outbox.close()
    await database.travel(minutes=40)
    oldest = await queue.oldest()
    assert oldest is not None
    assert 9 <= oldest.total_seconds() / 60 <= 11


async def test_what_was_sent_late_still_counts_after_a_purge(
    limited: tuple[FastAPI, FlakyMailer], database: Tables
) -> None:
    app, mailer = limited
    client = connect(app)
    ada = await register(client)
    await services_of(app).outbox.close()
    for _ in range(5):
        await forgot(client)
    await database.travel(hours=25)
    start_mail(services_of(app))
    await all_mailed(services_of(app))
    assert mailer.recipients == [ada.email] * 5

    assert (await administration.purge(services_of(app)))["mails"] == 0
    await forgot(client)
    await all_mailed(services_of(app))
    assert len(mailer.delivered) == 5
    await database.travel(hours=25)
    assert (await administration.purge(services_of(app)))["mails"] == 6
