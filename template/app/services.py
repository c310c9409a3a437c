"""What the account functions work with, made once a process and passed in."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from slowapi.wrappers import Limit

from app.accounts.key_rings import access_ring, secret_ring
from app.accounts.passwords import PasswordHasher
from app.accounts.tokens import TokenSigner
from app.config import Settings
from app.foundation.database import Database
from app.foundation.limits import RateLimiter, new_limit
from app.foundation.mail import ConsoleMailer, Mailer, Outbox
from app.foundation.shared import Shared


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    passwords: PasswordHasher
    tokens: TokenSigner
    outbox: Outbox
    limiter: RateLimiter
    account_limit: Limit
    """Wrong passwords for one account, from wherever they come."""
    readiness: Shared[dict[str, bool]]
    """What this API depends on, and whether each can be worked with."""

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

    async def look() -> dict[str, bool]:
        states = await asyncio.gather(database.is_up(), limiter.is_up())
        return dict(zip(("database", "limits"), states, strict=True))

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
        outbox=Outbox(_mailer(settings)),
        limiter=limiter,
        account_limit=new_limit("account", settings.rate_limit_account),
        readiness=Shared(look),
    )


async def close_services(services: Services) -> None:
    """Deliver what is in the outbox, then let go of threads and connections."""
    await services.outbox.close()
    services.passwords.close()
    await services.limiter.close()
    await services.database.close()


def _mailer(settings: Settings) -> Mailer:
    if not settings.smtp_host:
        return ConsoleMailer()
    from app.foundation.mail.smtp import SmtpMailer  # noqa: PLC0415 - only where it is used

    return SmtpMailer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.email_from,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
        starttls=settings.smtp_starttls,
    )
