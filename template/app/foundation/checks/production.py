"""What production refuses, and what it only warns of."""

import ipaddress
from typing import TYPE_CHECKING, Final

from app.foundation.checks.formats import Proxy
from app.foundation.checks.published_secrets import is_published
from app.foundation.checks.transport import database_is_unverified, mail_is_plain, redis_is_plain

if TYPE_CHECKING:
    from app.config import Settings

MIN_SECRET_BYTES: Final = 32
"""An HS256 key is at least as long as the hash, 256 bits (RFC 7518 §3.2)."""


MIN_SECRET_GUESSES_LOG10: Final = 20
"""A secret that zxcvbn guesses in fewer tries than 10^20 is made of words and repetitions."""

MIN_PRODUCTION_BCRYPT_COST: Final = 12

EXAMPLE_SECRET: Final = "change-me-to-32-or-more-random-bytes"  # noqa: S105
"""The placeholder in `.env.example`, refused in production."""


def is_weak_secret(secret: str) -> bool:
    """Tell whether a signing secret is too short for HS256, the example, published or guessable."""
    if secret == EXAMPLE_SECRET or len(secret.encode()) < MIN_SECRET_BYTES or is_published(secret):
        return True
    from zxcvbn import zxcvbn  # noqa: PLC0415 - 0.1 s to import, for a question asked at start

    return bool(zxcvbn(secret[:64])["guesses_log10"] < MIN_SECRET_GUESSES_LOG10)


def production_problems(settings: "Settings") -> list[tuple[str, str]]:
    """List what production refuses, as (variable, what is wrong and the fix)."""
    problems = []
    rotate = "run `python -m app.manage keys rotate`"
    if is_weak_secret(settings.jwt_secret.get_secret_value()):
        problems.append(("JWT_SECRET", f"is too short, guessable or published; {rotate}"))
    if any(is_weak_secret(old.get_secret_value()) for old in settings.jwt_previous_secrets):
        problems.append(("JWT_PREVIOUS_SECRETS", "holds a weak secret; remove it"))
    staged = settings.jwt_staged_secret
    if staged is not None and is_weak_secret(staged.get_secret_value()):
        problems.append(("JWT_STAGED_SECRET", "is a weak secret, and verifies; remove it"))
    if settings.bcrypt_cost < MIN_PRODUCTION_BCRYPT_COST:
        problems.append(("BCRYPT_COST", f"is under {MIN_PRODUCTION_BCRYPT_COST}; raise it"))
    if not settings.smtp_host:
        problems.append(("SMTP_HOST", "is empty, reset links would be printed; name the server"))
    elif mail_is_plain(settings):
        problems.append(("SMTP_STARTTLS", "is off, reset links could be read; set it to true"))
    return problems + _problems_of_pages(settings)


def _problems_of_pages(settings: "Settings") -> list[tuple[str, str]]:
    """The settings of callers and mails."""
    problems = []
    if settings.email_change == "confirm" and "//localhost" in settings.email_change_url:
        problems.append(
            ("EMAIL_CHANGE_URL", "is on localhost, where links lead nowhere; name your page")
        )
    if "*" in settings.cors_origins:
        problems.append(("CORS_ORIGINS", "is *, every site could call; list your origins"))
    if any(origin.startswith("http://") for origin in settings.cors_origins):
        problems.append(
            ("CORS_ORIGINS", "has a page on http://, which anybody between can change; use https")
        )
    fields = type(settings).model_fields
    if settings.password_reset_url == fields["password_reset_url"].default:
        problems.append(("PASSWORD_RESET_URL", "is the default; name the page of your frontend"))
    elif settings.password_reset_url.startswith("http://"):
        problems.append(
            ("PASSWORD_RESET_URL", "is on http://, where its token can be read; use https")
        )
    if settings.email_from == fields["email_from"].default:
        problems.append(("EMAIL_FROM", "is the default; write an address of your domain"))
    return problems


def production_warnings(settings: "Settings") -> list[tuple[str, str]]:
    """List what production allows but its owner should know."""
    warnings = []
    if not settings.uses_postgresql:
        warnings.append(
            ("DATABASE_URL", "is SQLite, for one host and one writer; name a PostgreSQL database")
        )
    elif database_is_unverified(settings.database_url):
        warnings.append(
            ("DATABASE_URL", "is another host without verified TLS; add sslmode=verify-full")
        )
    if not settings.redis_url and settings.rate_limit_enabled:
        warnings.append(("REDIS_URL", "is empty, each worker counts its own limits; name a Redis"))
    if settings.redis_url and redis_is_plain(settings.redis_url):
        warnings.append(("REDIS_URL", "is another host without TLS; write rediss://, or ?ssl=true"))
    if not settings.rate_limit_enabled:
        warnings.append(
            ("RATE_LIMIT_ENABLED", "is false, nothing slows down guessing; set it to true")
        )
    if "*" in settings.allowed_hosts:
        warnings.append(
            ("ALLOWED_HOSTS", "is *, any Host header is accepted; list your host names")
        )
    if settings.email_change == "session":
        problem = "is session, a stolen access token takes its account over; set it to password"
        warnings.append(("EMAIL_CHANGE", problem))
    if _are_everybody(settings.trusted_proxies):
        warnings.append(
            ("TRUSTED_PROXIES", "is everybody, who then choose their address; list your proxies")
        )
    return warnings


def general_warnings(settings: "Settings") -> list[tuple[str, str]]:
    """List what any environment allows but its owner should know."""
    problem = "has blanks or a line break at an end, which do not count; write it without"
    return [("JWT_SECRET", problem)] if settings.trims_secret else []


def _are_everybody(networks: list[Proxy]) -> bool:
    """Tell whether they make up all of IPv4 or of IPv6, in one piece or in several."""
    ipv4 = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    ipv6 = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return any(network.prefixlen == 0 for network in ipaddress.collapse_addresses(ipv4)) or any(
        network.prefixlen == 0 for network in ipaddress.collapse_addresses(ipv6)
    )
