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


HOSTS = 3

MIGRATE_AT_ONCE = f"""
import os
from alembic.config import main
from app.accounts import models

if all(os.fork() for _ in range({HOSTS})):
    ended = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range({HOSTS})]
    print(ended)
else:
    main(["upgrade", "head"])
"""
"""Each is a process of its own, forked when everything is imported: they begin together."""


def test_several_hosts_may_migrate_at_once(empty_url: str) -> None:
    values = {"database_url": empty_url, "jwt_secret": "not-used-to-migrate"}
    hosts = subprocess.run(  # noqa: S603
        [sys.executable, "-c", MIGRATE_AT_ONCE],
        cwd=ROOT,
        env=environment(values),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert hosts.stdout == f"{[0] * HOSTS}\n", hosts.stderr
    assert hosts.stderr.count("applied 0001_accounts") == 1
