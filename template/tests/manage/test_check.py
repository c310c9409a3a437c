"""`check`, `info`, and how commands fail."""

import asyncio
import json
import os
import secrets
from pathlib import Path

import pytest

from app.manage.output import print_text
from tests.helpers import Tables, migrate
from tests.manage.conftest import Manage
from tests.programs import redis_server, short_directory
from tests.services import needs_redis_server

NOWHERE = "127.0.0.1:1"


def findings(manage: Manage, *arguments: str) -> list[dict[str, str]]:
    """What is found; the exit code tells scripts whether there is something."""
    outcome = manage("check", *arguments)
    found: list[dict[str, str]] = json.loads(outcome.out)
    assert outcome.exit_code == (1 if found else 0)
    return found


def ids(manage: Manage, *arguments: str) -> list[str]:
    return [finding["id"] for finding in findings(manage, *arguments)]


def test_a_good_project_has_no_findings(manage: Manage) -> None:
    assert ids(manage) == []
    assert manage("check", json=False).out == "Nothing.\n"


def test_what_production_would_refuse_is_found_on_demand(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "*")
    monkeypatch.setenv("REDIS_URL", "")
    found = {finding["id"]: finding for finding in findings(manage, "--production")}
    assert found.keys() >= {
        "bcrypt_cost", "smtp_host", "cors_origins", "redis_url", "allowed_hosts", "environment"
    }  # fmt: skip
    assert found["bcrypt_cost"]["severity"] == "error"
    assert found["redis_url"]["severity"] == "warning"
    assert found["redis_url"]["fix"] == "set REDIS_URL in .env or the environment: name a Redis"


def test_development_users_are_found_for_production(manage: Manage) -> None:
    manage("seed")
    assert ids(manage) == []

    found = findings(manage, "--production")
    assert [finding["fix"] for finding in found if finding["id"] == "seeded_users"] == [
        "python -m app.manage user deactivate admin@example.com",
        "python -m app.manage user deactivate user@example.com",
    ]
    for email in ("admin@example.com", "user@example.com"):
        manage("user", "deactivate", email)
    assert "seeded_users" not in ids(manage, "--production")


def test_production_that_would_not_start_is_explained(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert {"bcrypt_cost", "smtp_host"} <= set(ids(manage))


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_a_database_that_others_can_read_is_found(
    manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    migrate(f"sqlite:///{file}")
    assert ids(manage) == []
    file.chmod(0o640)

    [found] = findings(manage)

    assert found["id"] == "database_file"
    assert found["fix"].startswith(f"chmod 600 {file}")


def test_a_wrong_setting_is_found(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCRYPT_COST", "99")
    assert ids(manage) == ["bcrypt_cost"]


def test_an_env_file_that_is_not_text_is_found(manage: Manage, project: Path) -> None:
    with (project / ".env").open("ab") as file:
        file.write(b"APP_NAME=caf\xe9\n")
    [finding] = findings(manage)
    assert finding["message"] == ".env can't be read"
    assert finding["fix"] == "save it as UTF-8, readable by this user"
    for command in (["user", "list"], ["info"], ["keys", "list"], ["keys", "rotate"]):
        outcome = manage(*command)
        assert outcome.exit_code == 1
        assert ".env can't be read" in outcome.err


def test_a_database_that_refuses_is_quoted(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "notes.txt").write_text("not a database\n" * 100)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./notes.txt")
    [finding] = findings(manage)
    assert (finding["id"], finding["severity"]) == ("database", "error")
    assert finding["message"] == "the database of DATABASE_URL refuses: file is not a database"
    outcome = manage("user", "list")
    assert outcome.exit_code == 1
    assert outcome.err.startswith("error: the database refuses: file is not a database\n")


def test_a_database_that_takes_no_writes_is_found(
    manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(f"sqlite:///{tmp_path}/read-only.db")
    url = f"sqlite:///file:{tmp_path}/read-only.db?mode=ro&uri=true"
    monkeypatch.setenv("DATABASE_URL", url)
    [finding] = findings(manage)
    assert finding["id"] == "database"
    assert finding["message"].endswith("refuses: attempt to write a readonly database")
    assert finding["fix"].startswith("make its file, and the directory that it is in, writable")


def test_a_secret_with_a_line_break_is_found(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", f"{secrets.token_urlsafe(48)}\n")
    monkeypatch.setenv("JWT_KEY_MAX_DAYS", "0")  # its age does not matter
    [finding] = findings(manage)
    assert (finding["id"], finding["severity"]) == ("jwt_secret", "warning")
    assert finding["fix"] == "set JWT_SECRET in .env or the environment: write it without"


def test_looking_at_a_file_that_is_not_there_does_not_make_it(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./gone.db")
    [finding] = findings(manage)
    assert finding["message"] == "the database's file is not there"
    assert not (project / "gone.db").exists()


def test_a_weak_secret_is_found(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "password" * 5)
    monkeypatch.setenv("JWT_KEY_MAX_DAYS", "0")  # its age does not matter
    [finding] = findings(manage)
    assert (finding["id"], finding["severity"]) == ("jwt_secret", "warning")
    assert finding["fix"] == "python -m app.manage keys rotate"


def test_a_pending_migration_is_found(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./new.db")
    [finding] = findings(manage)
    assert finding["fix"] == "python -m alembic upgrade head"
    outcome = manage("user", "list")
    assert outcome.exit_code == 1
    assert "the database has no tables yet" in outcome.err


def test_that_nobody_purges_is_found(manage: Manage, database_url: str) -> None:
    manage("user", "create", "ada@example.com")
    manage("token", "issue", "ada@example.com")
    with asyncio.Runner() as loop:
        database = Tables(database_url)
        loop.run(database.travel(days=6))
        assert findings(manage) == []
        loop.run(database.travel(days=2))
        loop.run(database.close())
    [finding] = findings(manage)
    assert (finding["id"], finding["fix"]) == ("purge", "python -m app.manage purge")
    assert manage("purge").data["sessions"] == 1
    assert findings(manage) == []


def test_what_does_not_answer_is_found(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://somebody:hidden@{NOWHERE}/nothing")
    monkeypatch.setenv("REDIS_URL", f"redis://{NOWHERE}")
    monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("SMTP_PORT", "1")
    outcome = manage("check")
    assert [finding["id"] for finding in json.loads(outcome.out)] == ["database", "redis", "smtp"]
    assert "hidden" not in outcome.out


@needs_redis_server
def test_a_redis_that_answers_and_does_not_count_is_found(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_directory() as here, redis_server(here, "--replicaof", "127.0.0.1", "1") as port:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
        [finding] = findings(manage)
    assert (finding["id"], finding["severity"]) == ("redis", "error")
    assert "read-only replica" in finding["message"]
    assert "main server" in finding["fix"]


def test_info_shows_settings_without_secrets_and_without_a_database(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgres://somebody:hidden@{NOWHERE}/nothing")
    secret = next(
        line.split("=", 1)[1]
        for line in (project / ".env").read_text().splitlines()
        if line.startswith("JWT_SECRET=")
    )
    outcome = manage("info")
    assert outcome.data["database"] == "postgresql"
    assert outcome.data["settings"]["DATABASE_URL"].startswith("postgresql://somebody:***")
    assert "hidden" not in outcome.out
    assert secret not in outcome.out


def test_a_database_that_does_not_answer_is_one_sentence(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://somebody@{NOWHERE}/nothing")
    outcome = manage("user", "list")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert outcome.err == (
        "error: the database does not answer\nhint: start it, or correct DATABASE_URL\n"
    )


def test_wrong_settings_are_named(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS_TOKEN_MINUTES", "soon")
    outcome = manage("user", "list")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert "ACCESS_TOKEN_MINUTES" in outcome.err
    assert "soon" not in outcome.err


def test_text_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_text({"name": None, "isActive": True})
    print_text({"settings": {"A": ["x"], "LONG": 1}, "last": "y"})
    print_text([{"a": 1, "long": "x"}, {"a": 22}])
    assert capsys.readouterr().out == (
        "name      -\nisActive  true\n"
        'settings\n  A     ["x"]\n  LONG  1\nlast      y\n'
        "a   long\n1   x\n22  -\n"
    )
