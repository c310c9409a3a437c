"""A mail as its bytes go over the wire."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import localtime, parseaddr
from typing import Any, Final

from email_validator import validate_email

from app.foundation.checks.addresses import ascii_domain
from app.foundation.mail.message import Mail

MAX_LINE_BYTES: Final = 998
"""Without its line break (RFC 5321 §4.5.3.1.6)."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an SMTP client hands over."""

    sender: str
    recipient: str
    content: bytes
    needs_utf8: bool

    @property
    def is_8bit(self) -> bool:
        return not self.content.isascii()


def sender_of(setting: str) -> Address:
    """The address of EMAIL_FROM, its domain in ASCII."""
    name, address = parseaddr(setting)
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=ascii_domain(domain))


def pack(mail: Mail, sender: Address, *, takes_8bit: bool) -> Parcel:
    """Write a mail down for a server.

    The domain of an address has an ASCII form, which every server takes (RFC 5890); what stands
    before the @ has none, and wants SMTPUTF8 (RFC 6531) unless it is ASCII.

    Raises:
        ValueError: the recipient is not one address.
    """
    checked = validate_email(mail.to, check_deliverability=False, test_environment=True)
    to = Address(username=checked.local_part, domain=checked.ascii_domain)
    needs_utf8 = not (to.addr_spec + sender.addr_spec).isascii()
    policy = (SMTPUTF8 if needs_utf8 else SMTP).clone(cte_type="8bit" if takes_8bit else "7bit")
    message = EmailMessage(policy=policy)
    message["From"] = sender
    message["To"] = to  # an Address is one recipient, whatever commas the text holds
    message["Subject"] = mail.subject
    message["Date"] = localtime()
    message["Message-ID"] = f"<{mail.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    message.set_content(mail.text, **_encoding(mail.text, takes_8bit))
    if mail.html:
        message.add_alternative(mail.html, subtype="html", **_encoding(mail.html, takes_8bit))
    return Parcel(sender.addr_spec, to.addr_spec, message.as_bytes(), needs_utf8)


def _encoding(text: str, takes_8bit: bool) -> dict[str, Any]:
    """As it is, wherever that may be sent: quoted-printable would cut a link in two."""
    if max(map(len, text.encode().splitlines()), default=0) <= MAX_LINE_BYTES:
        if text.isascii():
            return {"cte": "7bit"}
        if takes_8bit:
            return {"cte": "8bit"}
    return {}
