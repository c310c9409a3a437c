"""Mail by SMTP. Imported where SMTP_HOST is set: the client is not needed elsewhere."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from app.foundation.mail.mailers import MailRefused
from app.foundation.mail.message import Mail
from app.foundation.mail.mime import Parcel, pack, sender_of

SMTPS_PORT: Final = 465
"""The port on which TLS comes first (RFC 8314); on any other it starts with STARTTLS."""

SMTP_TIMEOUT_SECONDS: Final = 10.0

ABOUT_THE_MAIL: Final = 550
"""Answers from here on are about this mail: no such mailbox, not accepted. Those of 500 to 549 are
about how we speak and who we are, which the owner can put right: the mail waits for that."""


@dataclass(frozen=True, kw_only=True)
class SmtpMailer:
    """Hand the mail to an SMTP server, over verified TLS unless `starttls` is off.

    With `starttls` on, a server that doesn't offer it gets nothing: there is no fallback that
    somebody in between could force (RFC 8314).

    Args:
        helo_name: how we introduce ourselves; empty for the domain of the sender. Many servers
            refuse a name without a domain, as that of a container is.
    """

    host: str
    port: int
    sender: str
    helo_name: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = True
    tls_context: ssl.SSLContext | None = None
    timeout: float = SMTP_TIMEOUT_SECONDS

    async def deliver(self, mail: Mail) -> None:
        """
        Raises:
            MailRefused: for good; the server can't take this mail.
            Exception: not now.
        """
        async with self._session() as client:
            parcel = self._packed(client, mail)
            options = ["SMTPUTF8"] * parcel.needs_utf8 + ["BODY=8BITMIME"] * parcel.is_8bit
            try:
                await client.sendmail(
                    parcel.sender, [parcel.recipient], parcel.content, mail_options=options
                )
            except SMTPException as error:
                if _is_about_the_mail(error):
                    raise MailRefused(_said(error)) from error
                raise

    async def rehearse(self, mail: Mail) -> None:
        async with self._session() as client:
            self._packed(client, mail)

    async def takes_utf8(self) -> bool:
        """Go as far as EHLO, STARTTLS and AUTH, and tell whether SMTPUTF8 is offered."""
        async with self._session() as client:
            return client.supports_extension("smtputf8")

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[SMTP]:
        """Connected, greeted, encrypted and signed in."""
        implicit_tls = self.port == SMTPS_PORT
        client = SMTP(
            hostname=self.host,
            port=self.port,
            local_hostname=self.helo_name or sender_of(self.sender).domain,
            username=self.username or None,
            password=self.password or None,
            use_tls=implicit_tls,
            start_tls=self.starttls and not implicit_tls,
            tls_context=self.tls_context,
            timeout=self.timeout,
        )
        try:
            await client.connect()
            await client.noop()  # greets the server, where nothing before it had to
            yield client
        except BaseException:
            client.close()
            raise
        goodbye = asyncio.create_task(_quit(client))
        _goodbyes.add(goodbye)
        goodbye.add_done_callback(_goodbyes.discard)

    def _packed(self, client: SMTP, mail: Mail) -> Parcel:
        takes_8bit = client.supports_extension("8bitmime")
        parcel = pack(mail, sender_of(self.sender), takes_8bit=takes_8bit)
        if parcel.needs_utf8 and not client.supports_extension("smtputf8"):
            raise MailRefused("the mail server does not offer SMTPUTF8, which this address needs")
        return parcel


_goodbyes: Final[set[asyncio.Task[None]]] = set()


async def _quit(client: SMTP) -> None:
    """Nobody waits for it: the mail is delivered, and the sooner that is written down, the less
    likely is a kill in between, which would send it twice."""
    try:
        with suppress(SMTPException, OSError, TimeoutError):
            await client.quit(timeout=1)
    finally:
        client.close()


def _is_about_the_mail(error: SMTPException) -> bool:
    if isinstance(error, SMTPRecipientsRefused):
        return all(map(_is_about_the_mail, error.recipients))
    return isinstance(error, SMTPResponseException) and error.code >= ABOUT_THE_MAIL


def _said(error: SMTPException) -> str:
    """The code alone: the text of an answer can quote the address, or the mail."""
    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    return f"the mail server answered {getattr(error, 'code', 'no')}"
