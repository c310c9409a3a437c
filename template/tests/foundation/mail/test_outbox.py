"""What is promised by mail arrives, once, and no more of it than its reader wants."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.accounts.messages import start_mail
from app.accounts.sessions.current import lock_user
from app.config import Settings
from app.errors import Unavailable
from app.foundation.database import utc_now
from app.foundation.mail import Mail, MailboxLimit, MailQueue, MailRefused, QueuedMail
from app.foundation.mail import outbox as outbox_module
from app.foundation.mail import queue as queue_module
from app.foundation.mail.outbox import LONGEST_BACKOFF_SECONDS, MAX_ATTEMPTS, pause_after
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
    Account,
    Tables,
    all_mailed,
    connect,
    register,
    services_of,
    tokens_in,
)
from tests.services import needs_postgresql

# A promise


async def test_neither_text_nor_link_nor_token_is_at_rest(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await services_of(app).outbox.close()
    await forgot(client)

    [promised] = await database.mails()
    assert promised.detail is None
    assert await database.resets() == []
    assert "token=" not in await database.dump()


async def test_what_does_not_commit_promises_nothing(
    client: httpx.AsyncClient, ada: Account, database: Tables
) -> None:
    await register(client, "eve@example.com")
    taken = {"email": "eve@example.com"}
    refused = await client.patch("/api/users/me", json=taken, headers=ada.headers)

    assert refused.status_code == 409
    assert await database.mails() == []


async def test_each_mail_is_claimed_once(
    app: FastAPI, client: httpx.AsyncClient, database: Tables
) -> None:
    await services_of(app).outbox.close()
    for number in range(10):
        await forgot(client, f"{number}@example.com")
    queues = [MailQueue(services_of(app).database, None), MailQueue(database, None)] * 3

    claimed = await asyncio.gather(*[queue.claim() for queue in queues])
    claimed += await asyncio.gather(*[queue.claim() for queue in queues])

    ids = [mail.id for mail in claimed if mail]
    assert len(ids) == len(set(ids)) == 10


@needs_postgresql
async def test_a_claim_waits_for_nobody_who_has_locked_the_account(
    limited: tuple[FastAPI, FlakyMailer], database: Tables
) -> None:
    """Who changes an account takes its row, then its mails: a claim has one of those already."""
    app, _ = limited
    services = services_of(app)
    ada = await register(connect(app))
    await services.outbox.close()
    await change_password(connect(app), ada)

    async with database.transaction() as db:
        await lock_user(db, UUID(ada.id))
        claimed = await services.outbox.queue.claim()

    assert claimed is not None


async def test_who_dies_over_a_mail_loses_it_to_another(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables, mailer: FlakyMailer
) -> None:
    services = services_of(app)
    await services.outbox.close()
    await forgot(client)
    dead = await services.outbox.queue.claim()
    assert dead is not None

    await restarted(services)
    assert mailer.delivered == []  # it might be alive
    await database.travel(seconds=LEASE.total_seconds())
    await restarted(services)
    assert mailer.recipients == [ada.email]

    await services.outbox.queue.settle(dead, utc_now())  # it was, but too late to say anything
    assert (await database.mails())[0].not_before is None


# Trying again


async def test_what_fails_for_a_while_is_tried_again_with_a_link_that_works(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables, mailer: FlakyMailer
) -> None:
    mailer.failures = [OSError(), TimeoutError()]
    await forgot(client)
    for _ in range(3):
        await all_mailed_now(services_of(app))
        await database.travel(minutes=1)
        await restarted(services_of(app))

    assert mailer.recipients == [ada.email]
    [mail] = await database.mails()
    assert (mail.attempts, mail.not_before) == (3, None)
    [reset] = await database.resets()  # each try mails the same link
    assert reset.id == mail.id
    assert len(tokens_in(mailer.delivered[0].text)) == 1


async def test_what_keeps_failing_is_given_up_and_logged_without_its_content(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables, mailer: FlakyMailer
) -> None:
    mailer.failures = [OSError(f"a-canary for {ada.email}")] * 99
    with capture_logs() as log:
        await change_password(client, ada)
        for _ in range(MAX_ATTEMPTS + 1):
            await all_mailed_now(services_of(app))
            await database.travel(hours=2)
            await restarted(services_of(app))

    assert len(mailer.failures) == 99 - MAX_ATTEMPTS
    assert log[-1] == {
        "event": "mail.given_up",
        "kind": "password_changed",
        "attempts": MAX_ATTEMPTS,
        "reason": "OSError",
        "user_id": ada.id,
        "log_level": "error",
    }
    assert "canary" not in str(log)
    assert ada.email not in str(log)


async def test_what_is_refused_is_given_up_at_once(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables, mailer: FlakyMailer
) -> None:
    mailer.failures = [MailRefused("the mail server answered 550")]
    with capture_logs() as log:
        await change_password(client, ada)
        await all_mailed(services_of(app))

    assert [line["reason"] for line in log if line["event"] == "mail.given_up"] == [
        "the mail server answered 550"
    ]
    assert (await database.mails())[0].attempts == 1


def test_the_pauses_between_tries_grow_up_to_a_bound_over_hours() -> None:
    seconds = [pause_after(attempt).total_seconds() for attempt in range(1, MAX_ATTEMPTS)]

    assert 22 <= seconds[0] <= 30
    assert 4 * 22 <= seconds[2] <= 4 * 30
    assert max(seconds) <= LONGEST_BACKOFF_SECONDS
    assert timedelta(hours=5) < timedelta(seconds=sum(seconds)) < timedelta(hours=9)


async def test_a_mail_is_not_sent_again_because_the_database_was_away_after_it(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    mailer: FlakyMailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle, outages = MailQueue.settle, [Unavailable("away")]

    async def away_once(*arguments: Any) -> None:
        if outages:
            raise outages.pop()
        await settle(*arguments)

    monkeypatch.setattr(MailQueue, "settle", away_once)
    await change_password(client, ada)
    await all_mailed(services_of(app))

    assert outages == []
    assert mailer.recipients == [ada.email]


async def test_mail_goes_on_after_whatever_went_wrong(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    mailer: FlakyMailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim, faults = MailQueue.claim, [RuntimeError("whatever")]

    async def fail_once(queue: MailQueue) -> QueuedMail | None:
        if faults:
            raise faults.pop()
        return await claim(queue)

    monkeypatch.setattr(MailQueue, "claim", fail_once)
    monkeypatch.setattr(outbox_module, "POLL_SECONDS", 0.01)
    await change_password(client, ada)
    await all_mailed(services_of(app))

    assert mailer.recipients == [ada.email]


# Bounds


async def test_a_few_mails_leave_at_once(
    app: FastAPI, client: httpx.AsyncClient, mailer: FlakyMailer
) -> None:
    people = [await register(client, f"{number}@example.com") for number in range(9)]
    mailer.gate.clear()
    for person in people:
        await forgot(client, person.email)
    while mailer.busy < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    mailer.gate.set()
    await all_mailed(services_of(app))

    assert mailer.peak == 4
    assert len(mailer.delivered) == 9


async def test_a_mailbox_gets_five_mails_an_hour_whoever_asks(
    limited: tuple[FastAPI, FlakyMailer], database: Tables
) -> None:
    app, mailer = limited
    ada = await register(connect(app))
    for number in range(8):
        await forgot(connect(app, f"198.51.100.{number}"), ada.email)
    await all_mailed(services_of(app))

    assert mailer.recipients == [ada.email] * 5
    assert len(await database.resets()) == 5  # over the limit nothing is voided
    await database.travel(minutes=61)
    await forgot(connect(app), ada.email)
    await all_mailed(services_of(app))
    assert mailer.recipients == [ada.email] * 6


async def test_over_the_limit_nobody_can_tell_whether_there_is_an_account(
    limited: tuple[FastAPI, FlakyMailer], database: Tables
) -> None:
    app, mailer = limited
    ada = await register(connect(app))
    for _ in range(6):
        for email in (ada.email, "nobody@example.com"):
            await forgot(connect(app), email)
    await all_mailed(services_of(app))

    rows = [(mail.recipient, mail.attempts, mail.not_before) for mail in await database.mails()]
    assert sorted(row[1:] for row in rows if row[0] == ada.email) == sorted(
        row[1:] for row in rows if row[0] != ada.email
    )
    assert len(mailer.delivered) == len(mailer.rehearsed) == 5


async def test_two_workers_do_not_both_find_the_last_place(
    app: FastAPI, client: httpx.AsyncClient, database: Tables
) -> None:
    services = services_of(app)
    await services.outbox.close()
    for _ in range(16):
        await forgot(client)
    hour = timedelta(hours=1)
    limit = MailboxLimit(5, hour, hour)
    queues = [MailQueue(services.database, limit), MailQueue(database, limit)] * 4

    claimed = await asyncio.gather(*[queue.claim() for queue in queues])

    assert len([mail for mail in claimed if mail]) == 5


async def test_what_an_owner_must_know_waits_for_a_place_and_is_not_dropped(
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

    assert len(mailer.delivered) == 5
    await database.travel(minutes=61)
    await restarted(services_of(app))
    assert len(mailer.delivered) == 6
    assert "password was changed" in mailer.delivered[-1].subject
    assert (await database.mails())[-1].attempts == 1


async def test_without_limits_a_mailbox_has_none(start: Start, database: Tables) -> None:
    app = await start(rate_limit_enabled=False, rate_limit_mailbox="1/hour")
    for _ in range(3):
        await forgot(connect(app), "nobody@example.com")
    await all_mailed(services_of(app))

    assert [mail.attempts for mail in await database.mails()] == [1, 1, 1]


async def test_a_full_queue_drops_what_anybody_may_ask_for_and_nothing_else(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    database: Tables,
    mailer: FlakyMailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue_module, "MOST_REQUESTED", 2)
    await services_of(app).outbox.close()
    with capture_logs() as log:
        for number in range(3):
            await forgot(client, f"{number}@example.com")
        await change_password(client, ada)

    assert [mail.kind for mail in await database.mails()] == [
        "password_reset", "password_reset", "password_changed"
    ]  # fmt: skip
    [dropped] = [line for line in log if line["event"] == "mail.dropped"]
    assert (dropped["kind"], dropped["full"]) == ("password_reset", "queue")
    claimed = [await services_of(app).outbox.queue.claim() for _ in range(2)]
    # It does not stand in line behind both of the others; one of them may have had its turn.
    assert "password_changed" in [mail.kind for mail in claimed if mail]


# Nobody learns


async def test_the_same_work_is_done_for_nobody(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    database: Tables,
    mailer: FlakyMailer,
) -> None:
    await forgot(client, "nobody@example.com")
    await all_mailed(services_of(app))
    [rehearsed] = mailer.rehearsed
    assert len(tokens_in(rehearsed.text)) == 1  # one that opens nothing
    assert await database.resets() == []

    await forgot(client)
    await all_mailed(services_of(app))
    assert mailer.recipients == [ada.email]
    unknown, known = await database.mails()
    for same in ("kind", "user_id", "detail", "on_request", "attempts", "not_before"):
        assert getattr(unknown, same) == getattr(known, same)


async def test_nobodys_mail_fails_alike(
    app: FastAPI, client: httpx.AsyncClient, database: Tables, mailer: FlakyMailer
) -> None:
    """Else the age of the oldest mail would tell who has an account while the server is away."""

    async def away(mail: Mail) -> None:
        raise OSError

    mailer.rehearse = away  # type: ignore[method-assign]
    await forgot(client, "nobody@example.com")
    await all_mailed_now(services_of(app))

    assert (await database.mails())[0].not_before is not None


async def test_what_anybody_may_ask_for_leaves_at_a_random_moment(
    make_settings: Callable[..., Settings], start: Start, database: Tables, closed_port: int
) -> None:
    app = await start(smtp_host="127.0.0.1", smtp_port=closed_port)
    await services_of(app).outbox.close()
    for number in range(20):
        await forgot(connect(app), f"{number}@example.com")

    waits = [(mail.not_before - mail.created_at).total_seconds() for mail in await database.mails()]
    assert -0.5 < min(waits) < max(waits) <= 2
    assert max(waits) - min(waits) > 0.5


# Stopping


async def test_stopping_waits_for_the_mail_under_way(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, mailer: FlakyMailer
) -> None:
    mailer.gate.clear()
    await change_password(client, ada)
    while not mailer.busy:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    closing = asyncio.create_task(services_of(app).outbox.close())
    await asyncio.sleep(0.01)
    mailer.gate.set()
    await closing

    assert mailer.recipients == [ada.email]


async def test_stopping_does_not_wait_for_ever_and_loses_nothing(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, database: Tables, mailer: FlakyMailer
) -> None:
    mailer.gate.clear()
    await change_password(client, ada)
    while not mailer.busy:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    with capture_logs() as log:
        await services_of(app).outbox.close(deadline_seconds=0.01)

    assert log == [{"event": "mail.interrupted", "mails": 1, "log_level": "warning"}]
    assert (await database.mails())[0].not_before is not None


async def test_stopping_does_not_wait_for_ever_for_what_is_being_claimed(
    app: FastAPI,
    client: httpx.AsyncClient,
    ada: Account,
    mailer: FlakyMailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began, ends = asyncio.Event(), asyncio.Event()

    async def hang(_: MailQueue) -> None:
        began.set()
        await ends.wait()

    monkeypatch.setattr(MailQueue, "claim", hang)
    await change_password(client, ada)
    await began.wait()
    try:
        async with asyncio.timeout(10):
            await services_of(app).outbox.close(deadline_seconds=0.01)
    finally:
        ends.set()  # else the application's own stop would wait for it too

    assert mailer.delivered == []


async def test_stopping_does_not_first_go_through_thousands_that_have_no_room(
    limited: tuple[FastAPI, FlakyMailer], database: Tables
) -> None:
    app, mailer = limited
    services = services_of(app)
    await services.outbox.close()
    mailbox = {"kind": "password_reset", "recipient": "ada@example.com", "on_request": True}
    async with database.transaction() as db:
        now = utc_now()
        db.add_all(QueuedMail(**mailbox, not_before=None, counted_at=now) for _ in range(5))
        db.add_all(QueuedMail(**mailbox, not_before=now) for _ in range(1000))
    claiming = asyncio.create_task(services.outbox.queue.claim())
    start_mail(services)
    await claiming
    await services.outbox.close()

    left = [mail for mail in await database.mails() if mail.not_before is not None]
    assert len(left) > 0
    assert mailer.rehearsed == []
