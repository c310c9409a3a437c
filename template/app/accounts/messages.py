"""How each mail is written when it is due; its text is in `mails/`."""

from functools import partial
from uuid import UUID, uuid4

from app.accounts import email_change, reset_links
from app.accounts.mails import LETTERS, MailKind
from app.config import Settings
from app.foundation.mail import Mail, QueuedMail, read_letter
from app.services import Services


def start_mail(services: Services) -> None:
    """Send what is due from now on.

    Raises:
        BadLetter: a file of `mails/` can't be filled in. Better now than when its mail is due.
    """
    for kind in MailKind:
        preview(services.settings, kind)
    services.outbox.start(partial(_write, services))


def preview(settings: Settings, kind: MailKind, to: str = "ada@example.com") -> Mail:
    """The mail, with a link that opens nothing."""
    return _compose(settings, kind, to, uuid4(), "a***@example.com", "a-token-that-opens-nothing")


async def _write(services: Services, queued: QueuedMail) -> Mail | None:
    token, is_due = "", True
    if queued.kind in reset_links.KINDS:
        token, is_due = await reset_links.make(services, queued)
    if queued.kind == MailKind.EMAIL_CONFIRM:
        token, is_due = await email_change.make_token(services, queued)
    detail = queued.detail or ""
    mail = _compose(services.settings, queued.kind, queued.recipient, queued.id, detail, token)
    if not is_due:
        await services.outbox.rehearse(mail)
    return mail if is_due else None


def _compose(
    settings: Settings, kind: str, to: str, mail_id: UUID, detail: str, token: str
) -> Mail:
    confirms = kind == MailKind.EMAIL_CONFIRM
    link = settings.email_change_link if confirms else settings.password_reset_link
    values = {
        "app_name": settings.app_name,
        "detail": detail,
        "link": link(token),
        "minutes": str(settings.password_reset_minutes),
        "days": str(reset_links.INVITATION_LIFETIME.days),
    }
    return read_letter(LETTERS / f"{kind}.txt", to, mail_id, values)
