"""What is unsafe, missing or out of date, each with its fix: `python -m app.manage check`."""

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
    general_warnings,
    is_weak_secret,
    production_problems,
    production_warnings,
)
from app.foundation.database import connection_shortage, write_nothing
from app.manage.commands import add_command
from app.manage.errors import what_is_wrong
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
    findings = [
        _setting(name, problem, severity="warning") for name, problem in general_warnings(settings)
    ]
    findings += _check_settings(settings, production=args.production)
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
    database = services.database
    if _is_missing(database.file):  # connecting would make it
        return [_migrations("the database's file is not there")]
    try:
        async with database.connection() as connection:
            current = await connection.run_sync(
                lambda sync: MigrationContext.configure(sync).get_current_heads()
            )
        await write_nothing(database)
        shortage = await connection_shortage(database)
    except (Unavailable, DBAPIError) as error:
        problem, fix = what_is_wrong(error)
        return [_finding("database", f"the database of DATABASE_URL {problem}", fix)]
    findings = []
    if shortage:
        findings.append(_setting("DATABASE_POOL_SIZE", shortage, severity="warning"))
    wanted = ScriptDirectory.from_config(_alembic_config()).get_heads()
    if set(current) != set(wanted):
        findings.append(_migrations("the database's schema is not that of the code"))
    return findings


def _alembic_config() -> Config:
    """As the command reads it: an alembic.ini, of before 0.7.0 or its owner's, comes first."""
    return Config(ALEMBIC_INI, toml_file=ALEMBIC_INI.with_name("pyproject.toml"))


def _is_missing(file: Path | None) -> bool:
    return file is not None and file.parent.is_dir() and not file.exists()


def _migrations(message: str) -> Finding:
    return _finding("migrations", message, "python -m alembic upgrade head")


async def _check_redis(services: Services) -> list[Finding]:
    problem = await services.limiter.problem()
    if problem is None:
        return []
    message = f"the Redis of REDIS_URL {problem.reason}; limits count in memory"
    return [_finding("redis", message, problem.fix)]


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
    what, _, advice = problem.rpartition("; ")
    message = f"{name} {what or problem}".lstrip()
    fix = f"set {name} in .env or the environment"
    if what:
        fix = advice if not name or advice.startswith("run ") else f"{fix}: {advice}"
    return _finding(name.lower() or "settings", message, fix, severity)


def add_commands(commands: Any) -> None:
    parser = add_command(commands, "check", check, "what is unsafe or missing", services=False)
    parser.add_argument("--production", action="store_true", help="as production would judge")
    parser.set_defaults(data_is_bad_news=True)
