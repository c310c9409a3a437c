"""`info`: the version and the settings, with secrets redacted."""

from argparse import Namespace
from typing import Any

from app import __version__
from app.config import load_settings
from app.manage.commands import add_command


def info(args: Namespace) -> dict[str, Any]:
    """The settings, with secrets redacted. Connects to nothing."""
    settings = load_settings()
    return {
        "version": __version__,
        "database": "postgresql" if settings.uses_postgresql else "sqlite",
        "limits": "redis" if settings.redis_url else "memory",
        "settings": settings.redacted(),
    }


def add_commands(commands: Any) -> None:
    add_command(commands, "info", info, "the settings, secrets redacted", services=False)
