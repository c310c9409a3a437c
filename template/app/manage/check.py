"""What is unsafe, missing or out of date, each with its mend: `python -m app.manage check`."""

import asyncio
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from app.config import Environment, Settings, SettingsError, load_settings
from app.errors import Unavailable
from app.foundation.checks.production import (
    is_weak_secret,
    production_problems,
    production_warnings,
)
from app.manage.commands import add_command
from app.manage.errors import reason_of
from app.services import Services, close_services, open_services

SMTP_TIMEOUT_SECONDS: Final = 3.0

ALEMBIC_INI: Final = Path(__file__).parents[2] / "alembic.ini"

Finding = dict[str, str]


async def check(args: Namespace) -> list[Finding]:
    """List what is wrong. An empty list is good news."""
    try:
        settings = load_settings()
    except SettingsError as error:
        findings = [_setting(name, problem) for name, problem in error.problems]
        try:  # what production refuses need not keep us from looking at the rest
            settings = load_settings(environment=Environment.DEVELOPMENT)
        except SettingsError:
            return findings
        return findings + await _check_surroundings(settings)
    findings = _check_settings(settings, production=args.production)
    return findings + await _check_surroundings(settings)


def _check_settings(settings: Settings, *, production: bool) -> list[Finding]:
    if not production and settings.environment is not Environment.PRODUCTION:
        if not is_weak_secret(settings.jwt_secret.get_secret_value()):
            return []
        message = "JWT_SECRET is too short, guessable or the example"
        return [_finding("jwt_secret", message, "python -m app.manage keys rotate", "warning")]
    findings = [_setting(name, problem) for name, problem in production_problems(settings)]
    findings += [
        _setting(name, problem, severity="warning")
        for name, problem in production_warnings(settings)
    ]
    if settings.environment is not Environment.PRODUCTION:
        findings.append(_setting("ENVIRONMENT", "is not production; set ENVIRONMENT=production"))
    return findings


async def _check_surroundings(settings: Settings) -> list[Finding]:
    services = open_services(settings)
    try:
        checks = await asyncio.gather(
            _check_database(services), _check_redis(services), _check_smtp(settings)
        )
        return [finding for findings in checks for finding in findings]
    finally:
        await close_services(services)


async def _check_database(services: Services) -> list[Finding]:
    try:
        async with services.database.connection() as connection:
            current = await connection.run_sync(
                lambda sync: MigrationContext.configure(sync).get_current_heads()
            )
    except Unavailable:
        message = "the database of DATABASE_URL does not answer"
        return [_finding("database", message, "start it, or correct DATABASE_URL")]
    except DBAPIError as error:
        message = f"the database of DATABASE_URL refuses: {reason_of(error)}"
        return [_finding("database", message, "correct DATABASE_URL, or the database")]
    wanted = ScriptDirectory.from_config(Config(ALEMBIC_INI)).get_heads()
    if set(current) == set(wanted):
        return []
    message = "the database's schema is not that of the code"
    return [_finding("migrations", message, "python -m alembic upgrade head")]


async def _check_redis(services: Services) -> list[Finding]:
    if await services.limiter.is_up():
        return []
    message = "the Redis of REDIS_URL does not answer; limits count in memory"
    fix = "start it, correct REDIS_URL, or empty it for limits in memory"
    return [_finding("redis", message, fix)]


async def _check_smtp(settings: Settings) -> list[Finding]:
    if not settings.smtp_host:
        return []
    try:
        async with asyncio.timeout(SMTP_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(settings.smtp_host, settings.smtp_port)
    except (OSError, TimeoutError):
        message = "the mail server of SMTP_HOST does not answer"
        return [_finding("smtp", message, "start it, or correct SMTP_HOST and SMTP_PORT")]
    writer.close()
    return []


def _finding(name: str, message: str, fix: str, severity: str = "error") -> Finding:
    return {"id": name, "severity": severity, "message": message, "fix": fix}


def _setting(name: str, problem: str, severity: str = "error") -> Finding:
    what, _, mend = problem.rpartition("; ")
    message = f"{name} {what or problem}".lstrip()
    fix = f"set {name} in .env or the environment"
    if what:
        fix = mend if not name or mend.startswith("run ") else f"{fix}: {mend}"
    return _finding(name.lower() or "settings", message, fix, severity)


def add_commands(commands: Any) -> None:
    parser = add_command(commands, "check", check, "what is unsafe or missing", services=False)
    parser.add_argument("--production", action="store_true", help="as production would judge")
    parser.set_defaults(data_is_bad_news=True)
