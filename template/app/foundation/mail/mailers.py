"""What delivers mail, and how it is printed in development."""

import sys
from typing import Protocol

from app.foundation.log import escape_control_characters
from app.foundation.mail.message import Mail


class MailRefused(Exception):
    """This mail can't be delivered: trying again would change nothing."""


class Mailer(Protocol):
    """Something that delivers one mail, or raises."""

    async def deliver(self, mail: Mail) -> None: ...

    async def rehearse(self, mail: Mail) -> None:
        """Do the same work for a mail that goes to nobody, without sending it."""


class ConsoleMailer:
    """Development: print the mail, in one write, so that no log line cuts it."""

    async def deliver(self, mail: Mail) -> None:
        sys.stdout.write(self._printed(mail))
        sys.stdout.flush()

    async def rehearse(self, mail: Mail) -> None:
        self._printed(mail)

    def _printed(self, mail: Mail) -> str:
        text = "\n".join(map(escape_control_characters, mail.text.splitlines()))
        rule = "-" * 72
        return f"{rule}\nTo: {mail.to}\nSubject: {mail.subject}\n\n{text}\n{rule}\n"
