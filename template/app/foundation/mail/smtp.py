"""Mail by SMTP. Imported where SMTP_HOST is set: the client is not needed elsewhere."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import Final

import aiosmtplib
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from app.foundation.mail.mailers import MailRefused
from app.foundation.mail.message import Mail
from app.foundation.mail.mime import Parcel, pack, sender_of

SMTPS_PORT: Final = 465
"""The port on which TLS comes first (RFC 8314); on any other it starts with STARTTLS."""

SMTP_TIMEOUT_SECONDS: Final = 10.0

NOBODYS: Final = Mail("postmaster@example.com", "", "")
"""Never sent, only its address is named, to see whether the server would (RFC 2606 §3)."""

_STATUS: Final = re.compile(r"\b5\.(?![07]\.)\d{1,3}\.\d{1,3}\b")
"""RFC 3463. Those of 5.0 and 5.7 are of whatever is refused: there the words tell."""

_OF_THE_MAIL: Final = re.compile(r"5\.(1\.(?![78]\b)|2\.|3\.4\b|6\.)")
"""No such mailbox, a full one, what is too long or not taken. 5.1.7 and 5.1.8: the sender."""

_OF_US: Final = re.compile("(?i)relay|sender|helo|client|auth|verif|block|blackl|spf|dkim|dmarc")


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
            try:
                await _address(client, parcel)
                await client.data(parcel.content)
            except SMTPResponseException as error:
                if _is_about_the_mail(error):  # the code alone: the text can quote the address
                    raise MailRefused(f"the mail server answered {error.code}") from error
                raise

    async def rehearse(self, mail: Mail) -> None:
        async with self._session() as client:
            self._packed(client, mail)

    async def takes_utf8(self) -> bool:
        """Go as far as EHLO, STARTTLS, AUTH, and a sender and recipient, without a mail: until then
        many servers keep what they refuse to themselves. Tell whether SMTPUTF8 is offered."""
        async with self._session() as client:
            try:
                await _address(client, self._packed(client, NOBODYS))
            except SMTPResponseException as error:
                if error.code >= 500 and not _is_about_the_mail(error):
                    raise
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
            if not parcel.sender.isascii():
                raise aiosmtplib.SMTPNotSupported("no SMTPUTF8, which EMAIL_FROM needs")
            raise MailRefused("the mail server does not offer SMTPUTF8, which this address needs")
        return parcel


async def _address(client: SMTP, parcel: Parcel) -> None:
    """Name the sender and the recipient."""
    is_8bit = not parcel.content.isascii()
    options = ["SMTPUTF8"] * parcel.needs_utf8 + ["BODY=8BITMIME"] * is_8bit
    encoding = "utf-8" if parcel.needs_utf8 else "ascii"
    await client.mail(parcel.sender, options=options, encoding=encoding)
    await client.rcpt(parcel.recipient, encoding=encoding)


_goodbyes: Final[set[asyncio.Task[None]]] = set()


async def _quit(client: SMTP) -> None:
    """Nobody waits for it: the mail is delivered, and the sooner that is written down, the less
    likely is a kill in between, which would send it twice."""
    with suppress(SMTPException, OSError, TimeoutError), closing(client):
        await client.quit(timeout=1)


def _is_about_the_mail(error: SMTPResponseException) -> bool:
    """Whether recipient or content are refused for good. In doubt not: what is about our name, our
    address (500 to 549) or what we may send, the owner can put right, and the mail waits for that.
    Many servers say it no sooner than to a recipient."""
    if error.code < 550 or isinstance(error, aiosmtplib.SMTPSenderRefused):
        return False
    said = re.sub(r"<\S*>|\S+@\S+", "", error.message)
    status = _STATUS.search(said)
    return bool(_OF_THE_MAIL.match(status[0])) if status else not _OF_US.search(said)
