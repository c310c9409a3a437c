"""`mail …`: previews the mails, and sends one as a test."""

import ssl
from argparse import Namespace
from typing import Any

from app.accounts.mails import MailKind
from app.accounts.messages import preview
from app.config import load_settings
from app.foundation.log import escape_control_characters
from app.foundation.mail import BadLetter, Mail, MailRefused
from app.manage.commands import add_command, add_group
from app.manage.errors import CommandError
from app.manage.users import canonical
from app.services import open_mailer


async def test(args: Namespace) -> dict[str, str]:
    """Send one mail, now, without the queue."""
    settings = load_settings()
    if not settings.smtp_host:
        raise CommandError("SMTP_HOST is empty, so mails are printed", "name the mail server in it")
    mail = _previewed(MailKind(args.kind), canonical(args.email))
    try:
        await open_mailer(settings).deliver(mail)
    except Exception as error:  # noqa: BLE001 - whatever it is, it kept the mail from leaving
        problem, fix = smtp_problem(error)
        raise CommandError(f"the mail server of SMTP_HOST {problem}", fix) from None
    return {"sent": args.kind, "to": mail.to}


async def show(args: Namespace) -> list[dict[str, str]] | dict[str, str]:
    """Print mails as they would be sent."""
    mails = {kind: _previewed(kind) for kind in MailKind if args.kind in (None, kind)}
    if args.json:
        names = ("subject", "text", "html")
        return [
            {"kind": kind.value} | {name: getattr(mail, name) for name in names}
            for kind, mail in mails.items()
        ]
    for kind, mail in mails.items():
        print(mail.html if args.html else f"{kind}\nSubject: {mail.subject}\n\n{mail.text}")
    return {}


def _previewed(kind: MailKind, to: str = "ada@example.com") -> Mail:
    try:
        return preview(load_settings(), kind, to)
    except BadLetter as error:
        raise CommandError(f"app/accounts/mails: {error}") from None


def smtp_problem(error: Exception) -> tuple[str, str]:
    """Why we can't work with a mail server, in its own words if it gave any, and what to do."""
    import aiosmtplib  # noqa: PLC0415 - only where there is a mail server

    said = _on_one_line(error.__cause__ if isinstance(error, MailRefused) else error)
    match error:
        case aiosmtplib.SMTPNotSupported() if "EMAIL_FROM" in said:
            return f"offers {said}", "name in EMAIL_FROM an address with ASCII before the @"
        case MailRefused(__cause__=None):
            return "does not offer SMTPUTF8", "set EMAIL_ASCII_ONLY=true, or use one that does"
        case ssl.SSLError():
            return f"can't be trusted: {said}", "name in SMTP_HOST the host of its certificate"
        case aiosmtplib.SMTPAuthenticationError():
            return f"refuses the account: {said}", "correct SMTP_USERNAME and SMTP_PASSWORD"
        case aiosmtplib.SMTPException() if "HELO" in said.upper():
            return f"refuses our name: {said}", "set SMTP_HELO_NAME to the full name of this host"
        case OSError() | TimeoutError():
            return "does not answer", "start it, or correct SMTP_HOST and SMTP_PORT"
    return f"refuses: {said}", "correct EMAIL_FROM, SMTP_USERNAME and SMTP_STARTTLS, or the server"


def _on_one_line(error: BaseException | None) -> str:
    return " ".join(escape_control_characters(str(error)).split())[:300]


def add_commands(commands: Any) -> None:
    group = add_group(commands, "mail", "try and preview the mails")
    kinds = [kind.value for kind in MailKind]
    trial = add_command(group, "test", test, "send one mail now", email=True, services=False)
    trial.add_argument("--kind", choices=kinds, default=MailKind.PASSWORD_CHANGED.value)
    looking = add_command(group, "preview", show, "print the mails", services=False)
    looking.add_argument("kind", nargs="?", choices=kinds, help="only this one")
    looking.add_argument("--html", action="store_true", help="print the HTML, for a browser")
