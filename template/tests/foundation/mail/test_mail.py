"""Mail: delivered by a real SMTP server, off the request's path, and never lost in silence."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.foundation.mail import ConsoleMailer, Mail, MailRefused, Outbox
from app.foundation.mail.smtp import SmtpMailer
from tests.helpers import connect, register, services_of

LINK = "https://app.example.com/reset#token=a-canary"
MAIL = Mail("jane@example.com", "Reset your password", f"Hello\n\n{LINK}\n\nBye\n")


class Inbox:
    """The server's side: keeps what arrives, or answers as it is told."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.envelopes: list[Envelope] = []
        self.unknown: set[str] = set()

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        return "250 OK"

    @property
    def mails(self) -> list[Message]:
        return [message_from_bytes(envelope.original_content or b"") for envelope in self.envelopes]


@asynccontextmanager
async def smtp_server(
    inbox: Inbox, listen_tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(inbox, loop=loop, **options), "127.0.0.1", 0, ssl=listen_tls
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def smtp_mailer(port: int, **values: Any) -> SmtpMailer:
    settings = {"sender": "My API <no-reply@example.com>", "starttls": False, "timeout": 2.0}
    return SmtpMailer(host="localhost", port=port, **{**settings, **values})


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


# The mail itself


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("a@example.com\r\nBcc: b@example.com", "Hello"),
        ("a@example.com", "Hello\nBcc: b@example.com"),
        ("a@example.com\x00", "Hello"),
        ("a@example.com", "Hello\x1b[2J"),
        ("a@example.com", "Hello\u2028Bcc: b@example.com"),
    ],
)
def test_a_header_cannot_be_injected(to: str, subject: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        Mail(to, subject, "text")


def test_a_mail_and_a_password_are_not_in_their_representation() -> None:
    assert "canary" not in repr(MAIL)
    assert "canary" not in repr(smtp_mailer(25, password="canary"))


# To the console


async def test_the_console_gets_the_mail_in_one_write_with_the_link_on_its_own_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writes: list[str] = []
    monkeypatch.setattr("sys.stdout.write", writes.append)

    await ConsoleMailer().deliver(MAIL)

    [text] = writes
    assert "To: jane@example.com\nSubject: Reset your password\n" in text
    assert LINK in text.splitlines()


async def test_a_mail_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    await ConsoleMailer().deliver(Mail("jane@example.com", "Hello", "\x1b]0;title\x07 Jane\n"))

    assert "\x1b" not in capsys.readouterr().out


# Through SMTP


async def test_a_mail_arrives_as_it_was_written(inbox: Inbox) -> None:
    async with smtp_server(inbox) as port:
        await smtp_mailer(port).deliver(Mail("jane@example.com", "Grüße", "Zeile\n.\nÄnde\n"))

    [mail], [envelope] = inbox.mails, inbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@example.com", ["jane@example.com"])
    assert mail["From"] == "My API <no-reply@example.com>"
    assert mail["To"] == "jane@example.com"
    assert mail["Subject"] == "=?utf-8?q?Gr=C3=BC=C3=9Fe?="
    assert mail["Message-ID"].endswith("@example.com>")
    assert mail["Date"]
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().splitlines() == ["Zeile", ".", "Ände"]


@pytest.mark.parametrize("to", ["a@example.com, b@example.com", "not an address", "<a@b.example>"])
async def test_there_is_one_recipient_or_none(inbox: Inbox, to: str) -> None:
    async with smtp_server(inbox) as port:
        with pytest.raises(Exception, match=r".+"):
            await smtp_mailer(port).deliver(Mail(to, "Hello", "text"))

    assert inbox.envelopes == []


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
    assert isinstance(data, LoginPassword)
    known = (data.login, data.password) == (b"api", b"correct")
    return AuthResult(success=known, handled=False)


STRICT: dict[str, Any] = {
    "require_starttls": True,
    "auth_required": True,
    "authenticator": authenticate,
}


async def test_a_mail_goes_over_verified_tls_after_signing_in(
    inbox: Inbox, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with smtp_server(inbox, tls_context=server_tls, **STRICT) as port:
        secure = {"starttls": True, "tls_context": trusting, "username": "api"}
        await smtp_mailer(port, **secure, password="correct").deliver(MAIL)
        with pytest.raises(MailRefused):
            await smtp_mailer(port, **secure, password="wrong").deliver(MAIL)

    assert len(inbox.mails) == 1


async def test_the_settings_say_how_a_mail_goes(
    start: Callable[..., Awaitable[FastAPI]],
    inbox: Inbox,
    authority: trustme.CA,
    server_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with smtp_server(inbox, tls_context=server_tls, **STRICT) as port:
        account = {"smtp_username": "api", "smtp_password": "correct"}
        sender = {"email_from": "Shop <shop@example.com>"}
        app = await start(smtp_host="localhost", smtp_port=port, **account, **sender)
        async with connect(app) as client:
            ada = await register(client)
            await client.post("/api/auth/forgot-password", json={"email": ada.email})
        await services_of(app).outbox.close()

    [mail] = inbox.mails
    assert (mail["From"], mail["To"]) == ("Shop <shop@example.com>", ada.email)


async def test_on_the_port_for_it_tls_comes_first(
    inbox: Inbox,
    authority: trustme.CA,
    server_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with smtp_server(inbox, listen_tls=server_tls) as port:
        monkeypatch.setattr("app.foundation.mail.smtp.SMTPS_PORT", port)
        await smtp_mailer(port, starttls=True, tls_context=trusting).deliver(MAIL)

    assert len(inbox.mails) == 1


async def test_a_server_with_a_stranger_s_certificate_gets_nothing(
    inbox: Inbox, server_tls: ssl.SSLContext
) -> None:
    async with smtp_server(inbox, tls_context=server_tls) as port:
        with pytest.raises(OSError, match="certificate verify failed"):
            await smtp_mailer(port, starttls=True).deliver(MAIL)

    assert inbox.envelopes == []


async def test_a_server_without_starttls_gets_nothing(inbox: Inbox) -> None:
    async with smtp_server(inbox) as port:
        with pytest.raises(Exception, match="STARTTLS"):
            await smtp_mailer(port, starttls=True).deliver(MAIL)

    assert inbox.envelopes == []


async def test_a_server_that_says_nothing_is_given_up() -> None:
    loop = asyncio.get_running_loop()
    async with await loop.create_server(asyncio.Protocol, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(1):
            with pytest.raises(aiosmtplib.SMTPTimeoutError):
                await smtp_mailer(port, timeout=0.1).deliver(MAIL)


@pytest.mark.parametrize(
    ("answer", "error"),
    [("554 Not accepted", MailRefused), ("451 Try again later", Exception)],
)
async def test_only_a_permanent_answer_is_a_refusal(
    inbox: Inbox, answer: str, error: type[Exception]
) -> None:
    inbox.answers = [answer]
    async with smtp_server(inbox) as port:
        with pytest.raises(error) as caught:
            await smtp_mailer(port).deliver(MAIL)

    assert isinstance(caught.value, MailRefused) == answer.startswith("5")


async def test_an_unknown_recipient_is_a_refusal(inbox: Inbox) -> None:
    inbox.unknown = {MAIL.to}
    async with smtp_server(inbox) as port:
        with pytest.raises(MailRefused):
            await smtp_mailer(port).deliver(MAIL)


# The outbox


class FlakyMailer:
    """Fails as often as it is told, then delivers."""

    def __init__(self, *failures: Exception, gate: asyncio.Event | None = None) -> None:
        self.failures = list(failures)
        self.gate = gate
        self.delivered: list[Mail] = []

    async def deliver(self, mail: Mail) -> None:
        if self.gate:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.delivered.append(mail)


def outbox_for(mailer: Any, **values: Any) -> Outbox:
    return Outbox(mailer, **{"backoff_seconds": 0.001, **values})


async def test_a_mail_is_delivered_after_the_caller_went_on() -> None:
    mailer = FlakyMailer()
    outbox = outbox_for(mailer)

    outbox.submit(MAIL)
    assert mailer.delivered == []
    await outbox.close()

    assert mailer.delivered == [MAIL]


@pytest.mark.parametrize("due", [MAIL, None])
async def test_a_job_prepares_a_mail_or_finds_that_none_is_due(due: Mail | None) -> None:
    async def job() -> Mail | None:
        return due

    mailer = FlakyMailer()
    outbox = outbox_for(mailer)
    outbox.submit(job)
    await outbox.close()

    assert mailer.delivered == ([MAIL] if due else [])


async def test_what_fails_for_a_while_is_tried_again() -> None:
    failures = [ConnectionError(), TimeoutError()]
    mailer = FlakyMailer(OSError(), OSError(), OSError())

    async def job() -> Mail:
        if failures:
            raise failures.pop(0)
        return MAIL

    outbox = outbox_for(mailer)
    outbox.submit(job)
    await outbox.close()

    assert mailer.delivered == [MAIL]


@pytest.mark.parametrize(
    ("failures", "attempts"),
    [([OSError(f"{LINK} for {MAIL.to}")] * 9, 4), ([MailRefused(MAIL.to)] * 9, 1)],
)
async def test_what_keeps_failing_is_given_up_and_logged_without_its_content(
    failures: list[Exception], attempts: int
) -> None:
    mailer = FlakyMailer(*failures)
    outbox = outbox_for(mailer)
    with capture_logs() as log:
        outbox.submit(MAIL)
        await outbox.close()

    assert mailer.delivered == []
    assert len(mailer.failures) == len(failures) - attempts
    assert log[-1] == {
        "event": "mail.failed",
        "error": type(failures[0]).__name__,
        "log_level": "error",
    }
    assert "canary" not in str(log)
    assert MAIL.to not in str(log)


async def test_over_capacity_a_mail_is_dropped_and_the_caller_not_told() -> None:
    gate = asyncio.Event()
    mailer = FlakyMailer(gate=gate)
    outbox = outbox_for(mailer, capacity=2)
    with capture_logs() as log:
        for _ in range(3):
            outbox.submit(MAIL)
    gate.set()
    await outbox.close()

    assert len(mailer.delivered) == 2
    assert [line["event"] for line in log] == ["mail.dropped"]


async def test_only_a_few_mails_leave_at_once() -> None:
    busy = peak = 0

    class Counting:
        async def deliver(self, mail: Mail) -> None:
            nonlocal busy, peak
            busy += 1
            peak = max(peak, busy)
            await asyncio.sleep(0.001)
            busy -= 1

    outbox = outbox_for(Counting(), concurrency=2)
    for _ in range(10):
        outbox.submit(MAIL)
    await outbox.close()

    assert peak == 2


async def test_stopping_waits_for_mail_but_not_for_ever() -> None:
    mailer = FlakyMailer(gate=asyncio.Event())
    outbox = outbox_for(mailer)
    outbox.submit(MAIL)
    with capture_logs() as log:
        await outbox.close(deadline_seconds=0.01)

    assert log == [
        {
            "event": "mail.lost",
            "reason": "shutdown deadline",
            "mails": 1,
            "log_level": "error",
        }
    ]


async def test_an_outbox_without_mail_closes_at_once() -> None:
    await outbox_for(FlakyMailer()).close()


def test_the_waits_between_tries_grow_up_to_a_bound() -> None:
    outbox = Outbox(ConsoleMailer(), backoff_seconds=1)

    assert 1 <= outbox._backoff(1) <= 2
    assert 4 <= outbox._backoff(3) <= 8
    assert 15 <= outbox._backoff(20) <= 30
