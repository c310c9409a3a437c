"""The tables: they agree with the migrations, and enforce what they can by themselves."""

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import insert, inspect, text, update
from sqlalchemy.exc import IntegrityError

from app.accounts.models import PasswordReset, Session, User
from app.foundation.database import (
    Base,
)
from tests.helpers import Account, Tables, alembic_config, migrate


def test_the_models_and_the_migrations_agree(migrated_database: str) -> None:
    command.check(alembic_config(migrated_database))


def test_migrating_twice_changes_nothing(migrated_database: str) -> None:
    migrate(migrated_database)
    command.check(alembic_config(migrated_database))


def test_migrations_go_back_and_forth(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/back.db"
    migrate(url)
    command.downgrade(alembic_config(url), "base")

    with sqlite3.connect(tmp_path / "back.db") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert not tables & set(Base.metadata.tables)

    migrate(url)
    command.check(alembic_config(url))


def test_migrations_run_on_a_database_only(migrated_database: str) -> None:
    with pytest.raises(SystemExit, match="not supported"):
        command.upgrade(alembic_config(migrated_database), "head", sql=True)


async def test_the_tables_are_those_of_the_contract(database: Tables) -> None:
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())

    assert set(names) >= {"users", "refresh_tokens", "password_resets", "alembic_version"}


async def test_the_database_checks_the_role(database: Tables, ada: Account) -> None:
    for role in ("root", "", "USER"):
        with pytest.raises(IntegrityError):
            await database.execute(update(User).values(role=role))


async def test_the_database_keeps_addresses_apart(database: Tables, ada: Account) -> None:
    user = (await database.user())._asdict()

    with pytest.raises(IntegrityError):
        await database.execute(insert(User).values({**user, "id": uuid4()}))


async def test_what_belongs_to_a_user_goes_with_the_user(database: Tables, ada: Account) -> None:
    user = await database.user()
    now = datetime.now(UTC)
    reset = {"user_id": user.id, "token_hash": "x" * 64, "expires_at": now}
    await database.execute(insert(PasswordReset).values(reset))

    await database.execute(text("DELETE FROM users"))

    assert await database.sessions() == await database.resets() == []
    with pytest.raises(IntegrityError):
        await database.execute(insert(Session).values(**reset))


async def test_moments_come_back_as_they_went_in_utc(database: Tables, ada: Account) -> None:
    moment = datetime(2024, 2, 29, 1, 2, 3, 456789, timezone(timedelta(hours=5, minutes=30)))

    await database.execute(update(User).values(created_at=moment))

    stored = (await database.user()).created_at
    assert stored == moment
    assert stored.utcoffset() == timedelta(0)
    assert (await database.sessions())[0].revoked_at is None
