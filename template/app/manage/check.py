"""Finds what is unsafe, missing or out of date, with each fix: `python -m app.manage check`."""

import asyncio
import os
import shlex
from argparse import Namespace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from app.accounts import administration
from app.config import Environment, Settings, SettingsError, load_settings
from app.errors import Unavailable
from app.foundation.checks.production import (
    general_warnings,
    is_weak_secret,
    production_problems,
    production_warnings,
)
from app.foundation.database import connection_shortage, write_nothing
from app.manage import env_file, key_dates
from app.manage.commands import add_command
from app.manage.errors import what_is_wrong
from app.manage.mail import smtp_problem
from app.services import Services, close_services, open_services, open_smtp

SMTP_TIMEOUT_SECONDS: Final = 5.0

LATE_MAIL: Final = timedelta(minutes=5)

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
        return findings + await _check_surroundings(settings, production=True)
    findings = [
        _setting(name, problem, severity="warning") for name, problem in general_warnings(settings)
    ]
    production = args.production or settings.environment is Environment.PRODUCTION
    findings += _check_settings(settings, production=production)
    findings += [
        _finding("jwt_keys", problem, fix, "warning")
        for problem, fix in key_dates.overdue(env_file.read(), settings.jwt_key_max_days)
    ]
    return findings + await _check_surroundings(settings, production=production)


def _check_settings(settings: Settings, *, production: bool) -> list[Finding]:
    if not production:
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


async def _check_surroundings(settings: Settings, *, production: bool) -> list[Finding]:
    services = open_services(settings)
    try:
        checks = await asyncio.gather(
            _check_database(services), _check_redis(services), _check_smtp(settings)
        )
        findings = [finding for findings in checks for finding in findings]
        works = not any(finding["severity"] == "error" for finding in checks[0])
        return findings + (await _check_seeds(services) if production and works else [])
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
    findings = _check_privacy(database.file)
    if shortage:
        findings.append(_setting("DATABASE_POOL_SIZE", shortage, severity="warning"))
    wanted = ScriptDirectory.from_config(_alembic_config()).get_heads()
    if set(current) != set(wanted):
        return [*findings, _migrations("the database's schema is not that of the code")]
    if await administration.is_purge_overdue(services):
        message = "what expired a week ago is still in the database"
        findings.append(_finding("purge", message, "python -m app.manage purge", "warning"))
    return findings + await _check_mail(services)


async def _check_mail(services: Services) -> list[Finding]:
    oldest = await services.outbox.queue.oldest()
    if oldest is None or oldest < LATE_MAIL:
        return []
    minutes = int(oldest.total_seconds() // 60)
    message = f"the oldest mail that is not sent has been waiting for {minutes} minutes"
    fix = "see mail.retrying in the log, and that the API runs; it is what sends mail"
    return [_finding("mail", message, fix, "warning")]


def _check_privacy(file: Path | None) -> list[Finding]:
    """SQLite's file and those beside it: other users of this machine read no hashes."""
    if file is None or os.name != "posix":
        return []
    beside = (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm"))
    public = [str(path) for path in beside if path.exists() and path.stat().st_mode & 0o077]
    if not public:
        return []
    message = "the database's file can be read by other users of this machine"
    return [_finding("database_file", message, f"chmod 600 {shlex.join(public)}")]


async def _check_seeds(services: Services) -> list[Finding]:
    return [
        _finding(
            "seeded_users",
            f"{email} is a development user",
            f"python -m app.manage user deactivate {email}",
            "warning",
        )
        for email in await administration.seeded_users(services)
    ]


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
            takes_utf8 = await open_smtp(settings).takes_utf8()
    except Exception as error:  # noqa: BLE001 - whatever it is, it keeps mail from being sent
        problem, fix = smtp_problem(error)
        return [_finding("smtp", f"the mail server of SMTP_HOST {problem}", fix)]
    if takes_utf8 or settings.email_ascii_only:
        return []
    problem = "is false, but the server can't mail jösé@example.com; true refuses such addresses"
    return [_setting("EMAIL_ASCII_ONLY", problem, severity="warning")]


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
