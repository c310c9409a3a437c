"""What delivers mail, and how it is printed in development."""

import sys
from typing import Protocol

from app.foundation.log import escape_control_characters
from app.foundation.mail.message import Mail


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
