"""Mail by SMTP. Imported where SMTP_HOST is set: the client is not needed elsewhere."""

import socket
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid, parseaddr
from typing import Final

import aiosmtplib

from app.foundation.mail.mailers import MailRefused
from app.foundation.mail.message import Mail

SMTPS_PORT: Final = 465
"""The port on which TLS comes first (RFC 8314); on any other it starts with STARTTLS."""

SMTP_TIMEOUT_SECONDS: Final = 10.0


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
