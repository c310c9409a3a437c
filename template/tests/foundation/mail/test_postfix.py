"""Through a Postfix as strict as others run it, to a server behind it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiosmtplib import SMTPRecipientRefused
from fastapi import FastAPI

from app.foundation.mail import Mail, MailRefused
from app.foundation.mail import outbox as outbox_module
from app.foundation.mail.smtp import SmtpMailer
from tests.helpers import GIVE_UP_SECONDS, Tables, connect, register, services_of, tokens_in
from tests.inbox import Inbox, smtp_server
from tests.postfix import Greylisting, needs_postfix, postfix

pytestmark = needs_postfix

ADDRESSES = {
    "ASCII": ("user@example.com", "user@example.com"),
    "IDN": ("user@exämple.com", "user@xn--exmple-cua.com"),
    "SMTPUTF8": ("jösé@exämple.com", "jösé@xn--exmple-cua.com"),
}


def mailer(port: int, **values: Any) -> SmtpMailer:
    settings = {"sender": "Shop <shop@example.com>", "starttls": False, **values}
    return SmtpMailer(host="127.0.0.1", port=port, **settings)


async def arrived(inbox: Inbox, count: int = 1) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while len(inbox.mails) < count:  # noqa: ASYNC110 - only the inbox tells
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("utf8", [True, False], ids=["SMTPUTF8", "without"])
async def test_each_kind_of_address_arrives_or_says_why_not(utf8: bool) -> None:
    inbox = Inbox()
    async with smtp_server(inbox, enable_SMTPUTF8=True) as sink:
        with postfix(relay=sink, utf8=utf8) as server:
            for kind, (to, _) in ADDRESSES.items():
                delivery = mailer(server.port).deliver(Mail(to, "Grüße", "Hello\n"))
                if kind == "SMTPUTF8" and not utf8:
                    with pytest.raises(MailRefused, match="SMTPUTF8"):
                        await delivery
                else:
                    await delivery
            await arrived(inbox, 3 if utf8 else 2)

    expected = [on_the_wire for _, on_the_wire in ADDRESSES.values()]
    assert sorted(inbox.recipients) == sorted(expected if utf8 else expected[:2])


async def test_a_name_without_a_domain_is_refused_and_the_mail_waits() -> None:
    """It is for the owner to put right; the mail need not be lost over it."""
    async with smtp_server(Inbox()) as sink:
        with postfix(relay=sink) as server:
            with pytest.raises(SMTPRecipientRefused, match="fully-qualified"):
                await mailer(server.port, helo_name="container").deliver(
                    Mail("user@example.com", "Hello", "Hello\n")
                )
            await mailer(server.port, sender="x@shop.example").rehearse(
                Mail("user@example.com", "Hello", "Hello\n")
            )


async def test_what_postfix_refuses_of_us_waits_and_what_it_refuses_of_the_mail_is_final() -> None:
    """With its default it says all of that no sooner than to the recipient."""
    async with smtp_server(Inbox()) as sink:
        with postfix(relay=sink) as server:
            with pytest.raises(MailRefused, match="550"):
                await mailer(server.port).deliver(Mail("gone@example.com", "Hello", "Hello\n"))
            with pytest.raises(SMTPRecipientRefused, match="not owned"):
                await mailer(server.port, sender="other@example.com").deliver(
                    Mail("user@example.com", "Hello", "Hello\n")
                )
        with (
            postfix(relay=sink, networks="192.0.2.0/24") as server,
            pytest.raises(SMTPRecipientRefused, match="Relay access denied"),
        ):
            await mailer(server.port).deliver(Mail("user@example.com", "Hello", "Hello\n"))


async def test_a_greylisted_mail_arrives_once_after_a_restart_of_the_server(
    start: Callable[..., Awaitable[FastAPI]],
    database: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """450, then nobody answers, then it is taken: one mail, and its link works."""
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(outbox_module, "POLL_SECONDS", 0.1)
    inbox, grey = Inbox(), Greylisting()
    policy = await asyncio.start_server(grey.answer, "127.0.0.1", 0)
    async with policy, smtp_server(inbox) as sink:
        with postfix(relay=sink, policy=policy.sockets[0].getsockname()[1]) as server:
            app = await start(
                smtp_host="127.0.0.1",
                smtp_port=server.port,
                smtp_starttls=False,
                email_from="shop@example.com",
            )
            client = connect(app)
            ada = await register(client)
            with pytest.raises(SMTPRecipientRefused):  # so it is on
                await mailer(server.port).deliver(Mail("user@example.com", "Hello", "Hello\n"))
            await client.post("/api/auth/forgot-password", json={"email": ada.email})
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while grey.asked < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(server.stop)
            tries = (await database.mails())[0].attempts
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while (await database.mails())[0].attempts == tries:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            grey.over = True
            await asyncio.to_thread(server.start)
            await arrived(inbox)
        await services_of(app).outbox.close()

    [text] = inbox.texts
    assert len(tokens_in(text)) == 1
    [mail] = await database.mails()
    assert mail.not_before is None
