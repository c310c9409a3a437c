"""Referees that nobody here wrote, as one command: `python -m tests.referees`.

schemathesis tests the running API against its OpenAPI document, with every check, phase and kind
of data: on SQLite, and on PostgreSQL when `TEST_DATABASE_URL` is set. bandit and ruff read the
source. It takes some minutes, so it is not part of the suite; the exit code is 0 when nobody
complains.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers import ROOT, drop_scratch_databases, make_scratch_database, migrate
from tests.live import environment, server_process

PLENTY = "1000000/second"
"""Limits have tests of their own; here they would only hide the endpoints."""

READERS = (
    ("ruff", "check", "--select", "S,B,ASYNC,DTZ,LOG", "app", "migrations"),
    ("bandit", "--quiet", "-c", "pyproject.toml", "-r", "app", "migrations"),
)


def main() -> int:
    failed = [reader[0] for reader in READERS if not run(*reader)]
    for name, neighbour in (("SQLite", ""), ("PostgreSQL", os.environ.get("TEST_DATABASE_URL"))):
        if neighbour is None:
            print(f"== schemathesis, {name}: skipped, TEST_DATABASE_URL is not set", flush=True)
        elif not schemathesis(name, neighbour):
            failed.append(f"schemathesis, {name}")
    print(f"== {'failed: ' + ', '.join(failed) if failed else 'no complaints'}")
    return 1 if failed else 0


def schemathesis(name: str, neighbour: str) -> bool:
    """Start a server on a scratch database and test all of it, signed in as an admin."""
    with tempfile.TemporaryDirectory() as scratch, database(neighbour, Path(scratch)) as url:
        values = {
            "environment": "test",
            "database_url": url,
            "jwt_secret": secrets.token_urlsafe(48),
            "access_token_minutes": "1440",
            "bcrypt_cost": "4",
            "rate_limit_auth": PLENTY,
            "rate_limit_password_reset": PLENTY,
            "rate_limit_general": PLENTY,
            "rate_limit_account": PLENTY,
        }
        with server_process(Path(scratch), values) as server:
            asyncio.run(server.wait_until_healthy())
            return run(
                "schemathesis",
                "run",
                f"{server.url}/openapi.json",
                "--checks=all",
                "--phases=examples,coverage,fuzzing,stateful",
                label=f"schemathesis, {name}",
                env=environment(values) | {"SCHEMATHESIS_HOOKS": "tests.referee_hooks"},
            )


@contextmanager
def database(neighbour: str, directory: Path) -> Iterator[str]:
    """A migrated scratch database: beside the neighbour on its server, or a file."""
    if not neighbour:
        url = f"sqlite:///{directory}/referees.db"
        migrate(url)
        yield url
        return
    url = asyncio.run(make_scratch_database(neighbour))
    try:
        migrate(url)
        yield url
    finally:
        asyncio.run(drop_scratch_databases(neighbour))


def run(
    command: str, *arguments: str, label: str | None = None, env: dict[str, str] | None = None
) -> bool:
    print(f"== {label or command}", flush=True)
    program = Path(sys.executable).with_name(command)
    done = subprocess.run([program, *arguments], cwd=ROOT, env=env, check=False)  # noqa: S603
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
