"""The project that is measured, its databases and the people in them."""

import asyncio
import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from benchmarks.servers import AUTHKIT

PASSWORD: Final = "Correct-Horse-7"  # noqa: S105

PRODUCTION: Final = {
    "ENVIRONMENT": "production",
    # Production wants these; nothing is mailed.
    "SMTP_HOST": "127.0.0.1",
    "EMAIL_FROM": "no-reply@example.com",
    "PASSWORD_RESET_URL": "https://app.example.com/reset-password",
    "ACCESS_TOKEN_MINUTES": "600",
    # Counted as always, but high enough not to refuse.
    "RATE_LIMIT_AUTH": "1000000000/hour",
    "RATE_LIMIT_GENERAL": "1000000000/hour",
    "RATE_LIMIT_ACCOUNT": "1000000000/hour",
    # Of one address, two passwords are hashed at once: who signs in names another address each.
    "TRUSTED_PROXIES": "127.0.0.1",
}
"""The settings of every server: production, with every defence on."""


@dataclass(frozen=True)
class People:
    """Files with one value a line, as the load generator reads them."""

    emails: Path
    access: Path
    refresh: Path


def generate(target: Path) -> dict[str, float]:
    """Run `authkit new`; returns the seconds of its steps."""
    command = [*AUTHKIT, "new", str(target), "--defaults", "--no-git", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds: dict[str, float] = json.loads(done.stdout)["seconds"]
    return seconds


def migrate(project: Path, environment: Mapping[str, str]) -> None:
    run_inside(project, ["-m", "alembic", "upgrade", "head"], environment)


def add_people(
    project: Path,
    environment: Mapping[str, str],
    directory: Path,
    users: int,
    bulk: int = 0,
) -> People:
    """Store users with one session each, and write down what they sign in with."""
    script = Path(__file__).with_name("prepare.py").read_text(encoding="utf-8")
    job = json.dumps({"users": users, "bulk": bulk, "password": PASSWORD})
    made = json.loads(run_inside(project, ["-c", script], environment, job).splitlines()[-1])
    directory.mkdir(exist_ok=True)
    prefix = secrets.token_hex(4)
    for kind, values in made.items():
        (directory / f"{prefix}-{kind}").write_text("\n".join(values) + "\n", encoding="utf-8")
    return People(*(directory / f"{prefix}-{kind}" for kind in ("emails", "access", "refresh")))


def run_inside(
    project: Path, arguments: list[str], environment: Mapping[str, str], stdin: str = ""
) -> str:
    """Run the project's Python."""
    done = subprocess.run(
        [str(project / ".venv/bin/python"), *arguments],
        cwd=project,
        env={**os.environ, **PRODUCTION, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]} failed: {done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def scratch_database(server_url: str) -> Iterator[str]:
    """Create a PostgreSQL database beside the one of the URL; drop it at the end."""
    name = f"authkit_benchmark_{secrets.token_hex(4)}"
    asyncio.run(_execute(server_url, f"CREATE DATABASE {name}"))
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
