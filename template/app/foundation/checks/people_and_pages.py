"""How settings name people, mail servers and pages, and the messages about wrong ones."""

import re
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator

from app.foundation.checks.addresses import ascii_domain


def _check_smtp_host(host: str) -> str:
    if not re.fullmatch(r"[\w.-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", host):
        raise ValueError('write the name alone, "smtp.example.com"; the port is SMTP_PORT')
    return host


def _check_sender(sender: str) -> str:
    _, address = parseaddr(sender)
    whole = sender == address or sender.endswith(f"<{address}>")
    if not (whole and sender.isprintable() and re.fullmatch(r"[^@\s]+@[^@\s]+", address)):
        raise ValueError('write "no-reply@example.com" or "My API <no-reply@example.com>"')
    ascii_domain(address.rpartition("@")[2])
    return sender


def _check_helo_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]*|\[[0-9A-Fa-f:.IPv]+\]", name):
        raise ValueError('write the full name of this host, "api.example.com"')
    return name


def _check_link(url: str) -> str:
    clean = url.isprintable() and " " not in url
    if not clean or not _is_web_address(url):
        raise ValueError('write the page of your frontend, "https://app.example.com/reset"')
    if "#" in url and not url.endswith("="):
        raise ValueError('end a URL with a fragment in "=", the token is put there')
    return url


def _check_contact(contact: str) -> str:
    if contact and not _is_web_address(contact):
        try:
            validate_email(contact, check_deliverability=False)
        except EmailNotValidError:
            raise ValueError("write an e-mail address or a URL") from None
    return contact


def _check_license(text: str) -> str:
    url = text.rpartition(" ")[2]
    if not (_is_web_address(url) if ":" in text else re.fullmatch(r"[A-Za-z0-9.+() -]*", text)):
        raise ValueError("write an SPDX identifier, or a name and a URL")
    return text


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # its text can quote the value
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


SmtpHost = Annotated[str, AfterValidator(_check_smtp_host)]
HeloName = Annotated[str, AfterValidator(_check_helo_name)]
Sender = Annotated[str, AfterValidator(_check_sender)]
Link = Annotated[str, AfterValidator(_check_link)]
Contact = Annotated[str, AfterValidator(_check_contact)]
License = Annotated[str, AfterValidator(_check_license)]
