"""The `.env` of a new project: its choices and its fresh secret."""

import hashlib
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from authkit.terminal.errors import UsageError

SECRET_BYTES: Final = 48
"""384 bits of chance; HS256 wants at least 256 (RFC 7518 §3.2)."""

PLAIN_VALUE: Final = re.compile(r"[\w.,:/@%+?&=~*\[\]-]*")


def write(path: Path, name: str, database_url: str, redis_url: str, email_change: str) -> None:
    """Create `.env`, readable by its owner alone from its first byte on."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    values = {
        "APP_NAME": name,
        "ENVIRONMENT": "development",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "JWT_SECRET": secret,
        "JWT_KEY_DATES": f"{_key_id(secret)}@{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "JWT_ISSUER": name,
        "JWT_AUDIENCE": name,
        "EMAIL_CHANGE": email_change,
    }
    lines = [
        "# The settings of this machine, never committed. Each is explained in .env.example.",
        *(f"{key}={quoted(key, value)}" for key, value in values.items()),
    ]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")


def _key_id(secret: str) -> str:
    """As the project's `app/accounts/key_rings.py` has it."""
    return hashlib.sha256(b"kid:" + secret.encode()).hexdigest()[:16]


def quoted(key: str, value: str) -> str:
    """A value as dotenv files spell it."""
    if PLAIN_VALUE.fullmatch(value):
        return value
    if not value.isprintable() or "'" in value or "${" in value:
        raise UsageError(
            f"{key} has a character that .env can't hold", "percent-encode it: ' is %27, $ is %24"
        )
    return f"'{value}'"
