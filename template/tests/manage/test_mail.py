"""`mail test`, `mail preview`, and what `check` says about the mail server and the queue."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from app.accounts import mails
from app.accounts.mails import MailKind
from app.foundation.mail import QueuedMail
from tests.helpers import Tables
from tests.inbox import Inbox
from tests.manage.conftest import Manage
from tests.postfix import needs_postfix, postfix

Settings = Callable[..., None]


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Name a mail server in the settings."""

    def name(port: int, **values: str) -> None:
        settings = {"host": "127.0.0.1", "port": str(port), "starttls": "false", **values}
        for key, value in settings.items():
            monkeypatch.setenv(f"SMTP_{key.upper()}", value)
        monkeypatch.setenv("EMAIL_FROM", "Shop <shop@example.com>")

    return name


@contextmanager
def mail_server(inbox: Inbox, **options: Any) -> Iterator[int]:
    """On a loop of its own: commands run in this thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(inbox, loop=loop, **options))
        return sessions[-1]

    async def end() -> None:
        server.close()
        for each in sessions:
            if each.transport is not None:
                each.transport.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    listening = loop.create_server(session, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_mail_is_sent_to_try_the_server(manage: Manage, smtp: Settings) -> None:
    inbox = Inbox()
    with mail_server(inbox) as port:
        smtp(port)
        assert manage("mail", "test", "Ada@example.com", "--kind", "password_reset").data == {
            "sent": "password_reset", "to": "ada@example.com"
        }  # fmt: skip

    assert inbox.recipients == ["ada@example.com"]
    assert "#token=a-token-that-opens-nothing\n" in inbox.texts[0]


def test_without_a_mail_server_there_is_nothing_to_try(manage: Manage) -> None:
    outcome = manage("mail", "test", "ada@example.com")
    assert outcome.exit_code == 1
    assert outcome.err.startswith("error: SMTP_HOST is empty")


@pytest.mark.parametrize("kind", MailKind)
def test_each_mail_can_be_looked_at(manage: Manage, kind: MailKind) -> None:
    [shown] = manage("mail", "preview", kind).data
    assert shown["kind"] == kind
    assert shown["subject"] in manage("mail", "preview", json=False).out
    page = manage("mail", "preview", kind, "--html", json=False).out
    assert page.startswith("<!doctype html>")
    assert not {"<img", "<link", "<style", "<script"} & set(page.split())


def test_a_text_that_can_not_be_filled_in_is_named(
    manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password_reset.txt").write_text("Subject: Hello\n\n{nmae}\n")
    monkeypatch.setattr("app.accounts.messages.LETTERS", tmp_path)
    outcome = manage("mail", "preview", "password_reset")
    assert outcome.exit_code == 1
    assert outcome.err == "error: app/accounts/mails: password_reset.txt: there is no {nmae}\n"
    assert tmp_path != mails.LETTERS


def test_a_mail_server_that_answers_is_fine(manage: Manage, smtp: Settings) -> None:
    with mail_server(Inbox(), enable_SMTPUTF8=True) as port:
        smtp(port)
        assert manage("check").data == []


def test_one_without_smtputf8_can_not_send_to_everybody(
    manage: Manage, smtp: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mail_server(Inbox()) as port:
        smtp(port)
        outcome = manage("check")
        assert '"id": "email_ascii_only"' in outcome.out
        failed = manage("mail", "test", "jösé@example.com")
        assert "does not offer SMTPUTF8" in failed.err
        monkeypatch.setenv("EMAIL_ASCII_ONLY", "true")
        assert manage("check").data == []


@pytest.mark.parametrize(
    ("settings", "said", "fix"),
    [
        ({"starttls": "true"}, "STARTTLS", "SMTP_STARTTLS"),
        ({"username": "api", "password": "canary"}, "", "SMTP_"),
    ],
)
def test_check_goes_as_far_as_starttls_and_signing_in(
    manage: Manage, smtp: Settings, settings: dict[str, str], said: str, fix: str
) -> None:
    with mail_server(Inbox()) as port:
        smtp(port, **settings)
        outcome = manage("check")

    assert outcome.exit_code == 1
    assert '"id": "smtp"' in outcome.out
    assert said in outcome.out
    assert fix in outcome.out
    assert "canary" not in outcome.out


@pytest.mark.parametrize("ascii_only", ["true", "false"])
def test_a_sender_that_the_server_can_not_name_is_found(
    manage: Manage, smtp: Settings, monkeypatch: pytest.MonkeyPatch, ascii_only: str
) -> None:
    with mail_server(Inbox()) as port:
        smtp(port)
        monkeypatch.setenv("EMAIL_FROM", "jösé@example.com")
        monkeypatch.setenv("EMAIL_ASCII_ONLY", ascii_only)
        outcome = manage("check")
        failed = manage("mail", "test", "ada@example.com")

    assert outcome.exit_code == 1
    assert '"id": "smtp"' in outcome.out
    assert "SMTPUTF8, which EMAIL_FROM needs" in outcome.out
    assert "name in EMAIL_FROM an address with ASCII before the @" in failed.err


@needs_postfix
@pytest.mark.parametrize(
    ("options", "sender", "said"),
    [
        ({"networks": "192.0.2.0/24"}, "Shop <shop@example.com>", "Relay access denied"),
        ({}, "other@example.com", "not owned by you"),
    ],
)
def test_a_server_that_sends_nothing_for_us_is_found(
    manage: Manage,
    smtp: Settings,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, str],
    sender: str,
    said: str,
) -> None:
    with postfix(relay=1, **options) as server:
        smtp(server.port)
        monkeypatch.setenv("EMAIL_FROM", sender)
        outcome = manage("check")

    assert '"id": "smtp"' in outcome.out
    assert said in outcome.out
    assert "correct EMAIL_FROM" in outcome.out


@needs_postfix
def test_a_name_that_a_strict_server_refuses_is_found(manage: Manage, smtp: Settings) -> None:
    with postfix(relay=1) as server:
        smtp(server.port, helo_name="container")
        outcome = manage("check")
        assert "refuses our name" in outcome.out
        assert "set SMTP_HELO_NAME to the full name of this host" in outcome.out
        smtp(server.port, helo_name="")
        assert manage("check").data == []


def test_a_server_that_says_nothing_is_given_up(
    manage: Manage, smtp: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.manage.check.SMTP_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        smtp(server.getsockname()[1])
        assert "does not answer" in manage("check").out


def test_mail_that_waits_for_long_is_found(manage: Manage, database_url: str) -> None:
    async def wait(minutes: int) -> None:
        tables = Tables(database_url)
        async with tables.transaction() as db:
            db.add(QueuedMail(kind="password_changed", recipient="ada@example.com"))
        await tables.travel(minutes=minutes)
        await tables.close()

    asyncio.run(wait(4))
    assert manage("check").data == []
    asyncio.run(wait(33))
    outcome = manage("check")
    assert '"id": "mail"' in outcome.out
    assert "has been waiting for 37 minutes" in outcome.out
