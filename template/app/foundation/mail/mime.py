"""A mail as its bytes go over the wire."""

import re
import string
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import localtime, parseaddr
from textwrap import fill
from typing import Final, NamedTuple
from unicodedata import normalize
from urllib.parse import quote

from email_validator import validate_email

from app.foundation.checks.addresses import ascii_domain
from app.foundation.mail.message import Mail

MAX_LINE_BYTES: Final = 998
"""Without its line break (RFC 5321 §4.5.3.1.6)."""


class Parcel(NamedTuple):
    """What an SMTP client hands over."""

    sender: str
    recipient: str
    content: bytes
    needs_utf8: bool


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
    text, page = mail.text, mail.html
    if not takes_8bit:
        text, page = _in_ascii(text), page.encode("ascii", "xmlcharrefreplace").decode()
    text = _in_lines(text)
    message.set_content(text, cte=_encoding(text))
    if page:
        message.add_alternative(page, subtype="html", cte=_encoding(page))
    return Parcel(sender.addr_spec, to.addr_spec, message.as_bytes(), needs_utf8)


def _in_ascii(text: str) -> str:
    """Without accents, and with ? for what has no such form: quoted-printable would keep them, and
    cut a link in two. The HTML has them all."""
    links = re.sub(r"https?://\S+", lambda link: quote(link[0], safe=string.printable), text)
    letters = re.sub(r"[\u0300-\u036f]", "", normalize("NFKD", links))
    return letters.encode("ascii", "replace").decode()


def _in_lines(text: str) -> str:
    """Break what is too long for SMTP. A link stays whole."""
    return "\n".join(
        fill(line, MAX_LINE_BYTES // 4, break_long_words="://" not in line, break_on_hyphens=False)
        if _is_long(line)
        else line
        for line in text.split("\n")
    )


def _encoding(text: str) -> str:
    if any(map(_is_long, text.split("\n"))):
        return "quoted-printable"
    return "7bit" if text.isascii() else "8bit"


def _is_long(line: str) -> bool:
    return len(line.encode()) > MAX_LINE_BYTES
