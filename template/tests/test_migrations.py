"""Migrating says what it did, and may be done by several hosts at once."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command

from tests.conftest import TEST_DATABASE_URL
from tests.helpers import (
    ROOT,
    alembic_config,
    make_scratch_database,
    migrate,
)
from tests.live import environment


@pytest.fixture
def empty_url(tmp_path: Path) -> str:
    """A database without a single table."""
    if not TEST_DATABASE_URL:
        return f"sqlite:///{tmp_path}/empty.db"
    return asyncio.run(make_scratch_database(TEST_DATABASE_URL))


def test_migrating_says_what_it_did(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    migrate(empty_url)
    migrate(empty_url)
    command.downgrade(alembic_config(empty_url), "base")

    said = capsys.readouterr().err.splitlines()
    assert said[0] == "applied 0001_accounts"
    assert said[-1] == "took back 0001_accounts"
    assert len(said) == len(set(said)), "nothing is applied twice"


def test_several_hosts_may_migrate_at_once(empty_url: str) -> None:
    hosts = [start_migrating(empty_url) for _ in range(3)]
    said = [host.communicate(timeout=60)[1] for host in hosts]

    assert [host.returncode for host in hosts] == [0, 0, 0], said
    assert "".join(said).count("applied 0001_accounts") == 1


def start_migrating(url: str) -> subprocess.Popen[str]:
    values = {"database_url": url, "jwt_secret": "not-used-to-migrate"}
    return subprocess.Popen(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=environment(values),
        stderr=subprocess.PIPE,
        text=True,
    )
