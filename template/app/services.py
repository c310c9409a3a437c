"""What the account functions work with, made once a process and passed in."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from slowapi.wrappers import Limit
from sqlalchemy.exc import DBAPIError

from app.accounts.key_rings import access_ring, secret_ring
from app.accounts.mails import TELLING
from app.accounts.passwords import PasswordHasher
from app.accounts.tokens import TokenSigner
from app.config import Settings
from app.errors import Unavailable
from app.foundation.background import Background
from app.foundation.database import Database
from app.foundation.limits import RateLimiter, new_limit
from app.foundation.mail import ConsoleMailer, MailboxLimit, Mailer, MailQueue, Outbox
from app.foundation.shared import Shared

if TYPE_CHECKING:
    from app.foundation.mail.smtp import SmtpMailer


@dataclass(frozen=True, slots=True)
class Readiness:
    """What this API depends on, and whether each can be worked with."""

    states: dict[str, bool]
    oldest_mail: timedelta | None
    """How long the oldest mail that tells nothing, such as a warning, has been waiting."""


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    passwords: PasswordHasher
    tokens: TokenSigner
    outbox: Outbox
    background: Background
    limiter: RateLimiter
    account_limit: Limit
    """Wrong passwords for one account, from wherever they come."""
    email_change_limit: Limit
    """Changes of address by one user, or from one place."""
    readiness: Shared["Readiness"]

    @property
    def access_token_lifetime(self) -> timedelta:
        return timedelta(minutes=self.settings.access_token_minutes)

    @property
    def session_lifetime(self) -> timedelta:
        return timedelta(days=self.settings.refresh_token_days)

    @property
    def password_reset_lifetime(self) -> timedelta:
        return timedelta(minutes=self.settings.password_reset_minutes)


def open_services(settings: Settings) -> Services:
    """Make everything; nothing connects before it is first used."""
    database = Database(settings.database_url, settings.database_pool_size)
    limiter = RateLimiter(settings)

    queue = MailQueue(database, mails_per_mailbox(settings))
    # In development a mail is printed, and an event kept, at once.
    spread_seconds = 2 if settings.smtp_host else 0

    async def look() -> Readiness:
        states = await asyncio.gather(database.is_up(), limiter.is_up())
        oldest = None
        with suppress(Unavailable, DBAPIError):
            oldest = await queue.oldest(but=TELLING)
        return Readiness(dict(zip(("database", "limits"), states, strict=True)), oldest)

    return Services(
        settings=settings,
        database=database,
        passwords=PasswordHasher(settings.bcrypt_cost),
        tokens=TokenSigner(
            access=access_ring(settings),
            refresh=secret_ring(settings),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        ),
        outbox=Outbox(queue, open_mailer(settings), spread_seconds=spread_seconds),
        background=Background(spread_seconds=spread_seconds),
        limiter=limiter,
        account_limit=new_limit("account", settings.rate_limit_account),
        email_change_limit=new_limit("email_change", settings.rate_limit_email_change),
        readiness=Shared(look),
    )


async def close_services(services: Services) -> None:
    """Finish the mails under way, then let go of threads and connections."""
    await services.outbox.close()
    await services.background.close()
    services.passwords.close()
    await services.limiter.close()
    await services.database.close()


def mails_per_mailbox(settings: Settings) -> MailboxLimit | None:
    if not settings.rate_limit_enabled:
        return None
    rate = new_limit("mailbox", settings.rate_limit_mailbox).limit
    lifetime = timedelta(minutes=settings.password_reset_minutes)
    return MailboxLimit(rate.amount, timedelta(seconds=rate.get_expiry()), lifetime)


def open_mailer(settings: Settings) -> Mailer:
    return open_smtp(settings) if settings.smtp_host else ConsoleMailer()


def open_smtp(settings: Settings) -> "SmtpMailer":
    from app.foundation.mail.smtp import SmtpMailer  # noqa: PLC0415 - only where it is used

    return SmtpMailer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.email_from,
        helo_name=settings.smtp_helo_name,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
        starttls=settings.smtp_starttls,
    )
