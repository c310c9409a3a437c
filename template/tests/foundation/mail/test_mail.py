"""Mail: as it is written, and as real SMTP servers take it."""

import asyncio
import html
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import SMTPUTF8, default
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from fastapi import FastAPI

from app.foundation.mail import ConsoleMailer, Mail, MailRefused
from app.foundation.mail.mime import MAX_LINE_BYTES, pack, sender_of
from app.foundation.mail.smtp import SmtpMailer
from tests.helpers import GIVE_UP_SECONDS, all_mailed, connect, register, services_of

LINK = "https://app.example.com/reset#token=a-canary"
MAIL = Mail("jane@example.com", "Reset your password", f"Hello\n\n{LINK}\n\nBye\n")


class Inbox:
    """The server's side: keeps what arrives, or answers as it is told."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.envelopes: list[Envelope] = []
        self.helo: str | None = None
        self.hangs_up = False
        self.takes_8bit = True
        self.refuses_sender = self.refuses_recipient = ""

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuses_recipient:
            return self.refuses_recipient.format(address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        self.helo = session.host_name
        return "250 OK"

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [line for line in responses if self.takes_8bit or "8BITMIME" not in line]

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuses_sender:
            return self.refuses_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_NOOP(self, server: Any, session: Any, envelope: Envelope, arg: str) -> str:  # noqa: N802
        self.helo = session.host_name
        return "250 OK"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.hangs_up:
            server.transport.abort()
        return "221 Bye"

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


@pytest.mark.parametrize("takes_8bit", [True, False], ids=["8BITMIME", "without"])
@pytest.mark.parametrize("name", ["shop", "Käse", "店" * 400, "many words " * 100])
async def test_the_link_is_whole_on_the_wire_and_alone_on_its_line(
    inbox: Inbox, name: str, takes_8bit: bool
) -> None:
    inbox.takes_8bit = takes_8bit
    link = f"https://app.example.com/{'long/' * 30}reset?a=1&token={'x' * 43}"
    text, page = f"Hello from {name}\n\n{link}\n\nBye\n", f"<p>{name}\n{link}\n</p>\n"
    async with smtp_server(inbox) as port:
        await smtp_mailer(port).deliver(Mail("jane@example.com", "Reset", text, page))

    [envelope], [mail] = inbox.envelopes, inbox.mails
    raw = envelope.original_content or b""
    assert raw.splitlines().count(link.encode()) == (1 if len(name) > 99 else 2)
    assert takes_8bit or raw.isascii()
    assert max(map(len, raw.splitlines())) <= MAX_LINE_BYTES
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.walk()][1:] == ["text/plain", "text/html"]
    assert "List-Unsubscribe" not in mail


@pytest.mark.parametrize("takes_8bit", [True, False], ids=["8BITMIME", "without"])
def test_a_link_that_no_line_can_hold_is_whole_for_its_reader(takes_8bit: bool) -> None:
    """As one that confirms a long address is: its token names that."""
    link = f"https://app.example.com/confirm#token={'a-b_' * 300}"
    mail = Mail("jane@example.com", "Confirm", f"Hello\n\n{link}\n", f"<p>{link}</p>\n")
    content = pack(mail, sender_of("no-reply@example.com"), takes_8bit=takes_8bit).content

    assert max(map(len, content.splitlines())) <= MAX_LINE_BYTES
    for part in message_from_bytes(content, policy=default).iter_parts():
        assert link in part.get_content()


async def test_without_8bitmime_the_html_has_every_letter_and_no_link_leads_elsewhere(
    inbox: Inbox,
) -> None:
    inbox.takes_8bit = False
    link = "https://bücher.example/reset#token=a-canary"
    async with smtp_server(inbox) as port:
        mail = Mail("jane@example.com", "Grüße", f"Käse 店\n\n{link}\n", f"<p>Käse 店 {link}</p>\n")
        await smtp_mailer(port).deliver(mail)

    [text, page] = [part for part in inbox.mails[0].walk() if not part.is_multipart()]
    assert str(text.get_payload()).split() == [
        "Kase", "?", "https://b%C3%BCcher.example/reset#token=a-canary"
    ]  # fmt: skip
    assert html.unescape(str(page.get_payload())).strip() == f"<p>Käse 店 {link}</p>"


async def test_a_mail_has_the_same_id_at_each_try(inbox: Inbox) -> None:
    async with smtp_server(inbox) as port:
        await smtp_mailer(port).deliver(MAIL)
        await smtp_mailer(port).deliver(MAIL)

    first, second = inbox.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{MAIL.id}@example.com>"


def test_a_mail_has_a_size() -> None:
    with pytest.raises(ValueError, match="at most 65536 bytes"):
        Mail("jane@example.com", "Hello", "x" * 65536)


ON_THE_WIRE = {
    "user@example.com": "user@example.com",
    "user@exämple.com": "user@xn--exmple-cua.com",
    "jösé@exämple.com": "jösé@xn--exmple-cua.com",
}


@pytest.mark.parametrize("utf8", [True, False], ids=["SMTPUTF8", "without"])
@pytest.mark.parametrize("to", ON_THE_WIRE)
async def test_a_domain_is_ascii_on_the_wire_and_a_name_wants_smtputf8(
    inbox: Inbox, to: str, utf8: bool
) -> None:
    mailer = {"sender": "Shop <shop@bücher.example>"}
    async with smtp_server(inbox, enable_SMTPUTF8=utf8) as port:
        delivery = smtp_mailer(port, **mailer).deliver(Mail(to, "Grüße", "Hello\n"))
        if to.startswith("user") or utf8:
            await delivery
        else:
            with pytest.raises(MailRefused, match="SMTPUTF8"):
                await delivery
            return

    [envelope], [mail] = inbox.envelopes, inbox.mails
    assert envelope.mail_from == "shop@xn--bcher-kva.example"
    assert envelope.rcpt_tos == [ON_THE_WIRE[to]]
    assert mail["From"] == "Shop <shop@xn--bcher-kva.example>"
    header = policy_of_utf8(envelope)["To"]
    assert header == ON_THE_WIRE[to]


def policy_of_utf8(envelope: Envelope) -> Message:
    return message_from_bytes(envelope.original_content or b"", policy=SMTPUTF8)


@pytest.mark.parametrize(
    ("settings", "name"),
    [({}, "xn--bcher-kva.example"), ({"helo_name": "api.example.com"}, "api.example.com")],
)
async def test_we_introduce_ourselves_with_the_domain_of_the_sender(
    inbox: Inbox, settings: dict[str, str], name: str
) -> None:
    async with smtp_server(inbox) as port:
        await smtp_mailer(port, sender="shop@bücher.example", **settings).deliver(MAIL)

    assert inbox.helo == name


async def test_a_rehearsal_does_all_but_send(inbox: Inbox) -> None:
    async with smtp_server(inbox) as port:
        await smtp_mailer(port).rehearse(MAIL)
        with pytest.raises(MailRefused, match="SMTPUTF8"):
            await smtp_mailer(port).rehearse(Mail("jösé@example.com", "Hello", "text"))

    assert inbox.helo == "example.com"
    assert inbox.envelopes == []


async def test_a_goodbye_that_fails_is_no_failure(inbox: Inbox) -> None:
    """The mail was taken: a second try would be a second mail."""
    inbox.hangs_up = True
    async with smtp_server(inbox) as port:
        await smtp_mailer(port).deliver(MAIL)

    assert len(inbox.envelopes) == 1


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
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):  # its owner can put that right
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
            await all_mailed(services_of(app))

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
        async with asyncio.timeout(GIVE_UP_SECONDS):
            with pytest.raises(aiosmtplib.SMTPTimeoutError):
                await smtp_mailer(port, timeout=0.1).deliver(MAIL)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("554 Not accepted", MailRefused),
        ("550 No such mailbox", MailRefused),
        ("504 Need a full name in HELO", Exception),
        ("530 Sign in first", Exception),
        ("451 Try again later", Exception),
    ],
)
async def test_only_a_permanent_answer_is_a_refusal(
    inbox: Inbox, answer: str, error: type[Exception]
) -> None:
    inbox.answers = [answer]
    async with smtp_server(inbox) as port:
        with pytest.raises(error) as caught:
            await smtp_mailer(port).deliver(MAIL)

    assert isinstance(caught.value, MailRefused) == answer.startswith("55")


@pytest.mark.parametrize(
    ("answer", "is_about_the_mail"),
    [
        ("550 No such mailbox", True),
        ("550 5.1.1 <{0}>: Recipient address rejected: User unknown in relay table", True),
        ("556 5.1.10 <{0}>: Recipient address rejected: Domain does not accept mail", True),
        ("554 5.7.1 <{0}>: Recipient address rejected: Access denied", True),
        ("552 5.2.2 <{0}>: over quota", True),
        ("553 <{0}>: mailbox name not allowed", True),
        ("554 5.7.1 <{0}>: Relay access denied", False),
        ("550 relay not permitted", False),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1) to relay", False),
        ("553 5.7.1 <no-reply@example.com>: Sender address rejected: not owned", False),
        ("550 5.1.8 <no-reply@example.com>: Domain of sender does not exist", False),
        ("554 5.7.1 <h[192.0.2.1]>: Client host rejected: blocked using a list", False),
        ("504 5.5.2 <container>: Helo command rejected: need fully-qualified hostname", False),
        ("550 5.7.1 <{0}>: Please authenticate first", False),
        ("451 4.7.1 Greylisted", False),
    ],
)
async def test_a_refused_recipient_is_final_and_whatever_its_owner_can_put_right_is_not(
    inbox: Inbox, answer: str, is_about_the_mail: bool
) -> None:
    inbox.refuses_recipient = answer
    async with smtp_server(inbox) as port:
        with pytest.raises(Exception, match=r"\d{3}") as caught:
            await smtp_mailer(port).deliver(Mail("sender-of-blocks@example.com", "Hello", "text"))

    assert isinstance(caught.value, MailRefused) == is_about_the_mail


@pytest.mark.parametrize("answer", ["553 Not yours", "554 Not accepted", "550 5.1.1 Unknown"])
async def test_a_refused_sender_is_not_final(inbox: Inbox, answer: str) -> None:
    inbox.refuses_sender = answer
    async with smtp_server(inbox) as port:
        with pytest.raises(aiosmtplib.SMTPSenderRefused):
            await smtp_mailer(port).deliver(MAIL)


async def test_a_sender_whom_the_server_can_not_name_loses_no_mail(inbox: Inbox) -> None:
    async with smtp_server(inbox) as port:
        with pytest.raises(aiosmtplib.SMTPNotSupported, match="EMAIL_FROM"):
            await smtp_mailer(port, sender="jösé@example.com").deliver(MAIL)
