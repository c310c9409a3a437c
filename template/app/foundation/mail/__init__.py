"""Mail: what is sent, how it leaves, and the outbox that takes it off the request's path."""

import asyncio
import random
import re
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid, parseaddr
from typing import Final, Protocol, TypeVar

import aiosmtplib
import structlog

from app.foundation.log import escape_control_characters

SMTPS_PORT: Final = 465
"""The port on which TLS comes first (RFC 8314); on any other it starts with STARTTLS."""

SMTP_TIMEOUT_SECONDS: Final = 10.0
LONGEST_BACKOFF_SECONDS: Final = 30.0

_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

logger = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mail:
    """One plain-text mail to one person."""

    to: str
    subject: str
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse line breaks where a header would be injected (CWE-93)."""
        if _CONTROL_CHARACTER.search(self.to + self.subject):
            raise ValueError("a mail's address and subject can't hold control characters")


class MailRefused(Exception):
    """The mail server refused for good: trying again would change nothing."""


class Mailer(Protocol):
    """Something that delivers one mail, or raises."""

    async def deliver(self, mail: Mail) -> None: ...


class ConsoleMailer:
    """Development: print the mail, in one write, so that no log line cuts it."""

    async def deliver(self, mail: Mail) -> None:
        text = "\n".join(map(escape_control_characters, mail.text.splitlines()))
        rule = "-" * 72
        sys.stdout.write(f"{rule}\nTo: {mail.to}\nSubject: {mail.subject}\n\n{text}\n{rule}\n")
        sys.stdout.flush()


@dataclass(frozen=True, kw_only=True)
class SmtpMailer:
    """Hand the mail to an SMTP server, over verified TLS unless `starttls` is off.

    With `starttls` on, a server that doesn't offer it gets nothing: there is no fallback that
    somebody in between could force (RFC 8314).
    """

    host: str
    port: int
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = True
    tls_context: ssl.SSLContext | None = None
    timeout: float = SMTP_TIMEOUT_SECONDS

    async def deliver(self, mail: Mail) -> None:
        implicit_tls = self.port == SMTPS_PORT
        try:
            await aiosmtplib.send(
                self._message(mail),
                hostname=self.host,
                port=self.port,
                # Not the default, socket.getfqdn(), which asks the name server for each mail.
                local_hostname=socket.gethostname(),
                username=self.username or None,
                password=self.password or None,
                use_tls=implicit_tls,
                start_tls=self.starttls and not implicit_tls,
                tls_context=self.tls_context,
                timeout=self.timeout,
            )
        except aiosmtplib.SMTPException as error:
            if _is_permanent(error):
                raise MailRefused from error
            raise

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self.sender
        # An Address is one recipient, whatever commas the text holds.
        message["To"] = Address(addr_spec=mail.to)
        message["Subject"] = mail.subject
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain=parseaddr(self.sender)[1].rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
        message.set_content(mail.text)
        return message


def _is_permanent(error: aiosmtplib.SMTPException) -> bool:
    """Tell a 5xx answer (RFC 5321 §4.2.1) from what may pass: a 4xx, a timeout, no connection."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(map(_is_permanent, error.recipients))
    return isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 500


Job = Callable[[], Awaitable[Mail | None]]
"""Prepares a mail, or finds that none is due."""


class Outbox:
    """Prepares and delivers mail off the request's path, with a few tries and a bound.

    A request that may end in a mail hands over a job and answers at once. So its time says
    nothing about whether there is an account, nor whether the mail server is up (OWASP Forgot
    Password Cheat Sheet). For the same reason `submit` never raises and never waits.
    """

    def __init__(
        self,
        mailer: Mailer,
        *,
        capacity: int = 1000,
        concurrency: int = 4,
        attempts: int = 4,
        backoff_seconds: float = 1.0,
    ) -> None:
        self._mailer = mailer
        self._capacity = capacity
        self._gate = asyncio.Semaphore(concurrency)
        self._attempts = attempts
        self._backoff_seconds = backoff_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, work: Mail | Job) -> None:
        """Take a mail, or a job that prepares one. Over capacity it is dropped, and logged."""
        if len(self._tasks) >= self._capacity:
            logger.error("mail.dropped", reason="outbox full", capacity=self._capacity)
            return
        task = asyncio.create_task(self._process(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, deadline_seconds: float = 8.0) -> None:
        """Deliver what is waiting, so that stopping the server loses no mail.

        The deadline is below the 10 s after which Docker kills what it stops.
        """
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=deadline_seconds)
        for task in late:
            task.cancel()
        if late:
            logger.error("mail.lost", reason="shutdown deadline", mails=len(late))
            await asyncio.wait(late)

    async def _process(self, work: Mail | Job) -> None:
        try:
            mail = work if isinstance(work, Mail) else await self._with_retries(work)
            if mail is not None:
                await self._with_retries(lambda: self._mailer.deliver(mail))
                logger.info("mail.delivered")
        except Exception as error:  # noqa: BLE001 - nobody waits for this task to hear of it
            # Names only: the text of an SMTP error can quote the address or the mail.
            cause = type(error.__cause__ or error).__name__
            logger.error("mail.failed", error=cause)

    async def _with_retries(self, operation: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(1, self._attempts):
            try:
                async with self._gate:
                    return await operation()
            except MailRefused:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the last try reports it
                logger.warning("mail.retrying", error=type(error).__name__, attempt=attempt)
            await asyncio.sleep(self._backoff(attempt))
        async with self._gate:
            return await operation()

    def _backoff(self, attempt: int) -> float:
        """Wait twice as long each time, less a random part, so that retries don't line up."""
        ceiling: float = min(self._backoff_seconds * 2**attempt, LONGEST_BACKOFF_SECONDS)
        return ceiling * random.uniform(0.5, 1)  # noqa: S311  # nosec B311
