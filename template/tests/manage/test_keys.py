"""Rotating the signing secret in `.env`."""

import os
import stat
from fnmatch import fnmatch
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
from dotenv import dotenv_values, set_key

from app.accounts.tokens import key_id
from app.foundation.checks.production import EXAMPLE_SECRET
from tests.helpers import ROOT
from tests.manage.conftest import Manage


def secrets_in(project: Path) -> tuple[str, list[str]]:
    values = dotenv_values(project / ".env")
    return values["JWT_SECRET"] or "", (values.get("JWT_PREVIOUS_SECRETS") or "").split(",")


def test_rotating_makes_a_new_secret_sign_and_keeps_the_old_one(
    manage: Manage, project: Path
) -> None:
    old, _ = secrets_in(project)
    keys = manage("keys", "rotate").data
    new, previous = secrets_in(project)
    assert new != old
    assert previous == [old]
    assert keys == [
        {"kid": key_id(new), "use": "signing"},
        {"kid": key_id(old), "use": "verifying"},
    ]
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
    assert manage("keys", "list").data == keys


def test_nothing_else_in_the_file_changes(manage: Manage, project: Path) -> None:
    before = (project / ".env").read_text().splitlines()
    manage("keys", "rotate")
    after = (project / ".env").read_text().splitlines()
    kept = [line for line in after if not line.startswith("JWT_")]
    assert kept == [line for line in before if not line.startswith("JWT_")]


def test_the_first_rotation_makes_a_private_file(manage: Manage, project: Path) -> None:
    (project / ".env").unlink()
    assert [key["use"] for key in manage("keys", "rotate").data] == ["signing"]
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600


def test_an_earlier_key_can_be_removed(manage: Manage, project: Path) -> None:
    old, _ = secrets_in(project)
    manage("keys", "rotate")
    assert [key["use"] for key in manage("keys", "remove", key_id(old)).data] == ["signing"]
    unknown = manage("keys", "remove", key_id(old))
    assert unknown.exit_code == 1
    assert "there is no key" in unknown.err


def test_the_signing_key_can_not_be_removed(manage: Manage, project: Path) -> None:
    secret, _ = secrets_in(project)
    outcome = manage("keys", "remove", key_id(secret))
    assert outcome.exit_code == 1
    assert "keys rotate" in outcome.err
    assert secrets_in(project)[0] == secret


@pytest.mark.parametrize("name", ["JWT_SECRET", "JWT_PREVIOUS_SECRETS"])
def test_a_secret_in_the_environment_is_rotated_there(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = (project / ".env").read_text()
    monkeypatch.setenv(name, "")
    for command in (["rotate"], ["remove", "0" * 16]):
        outcome = manage("keys", *command)
        assert outcome.exit_code == 1
        assert f"{name} is set in the environment" in outcome.err
    assert (project / ".env").read_text() == before


def test_a_secret_with_a_comma_can_not_become_an_earlier_one(manage: Manage, project: Path) -> None:
    secret = f"{token_urlsafe(32)},{token_urlsafe(32)}"
    (project / ".env").write_text(f"JWT_SECRET={secret}\n")
    outcome = manage("keys", "rotate")
    assert outcome.exit_code == 1
    assert secret not in outcome.err
    assert (project / ".env").read_text() == f"JWT_SECRET={secret}\n"


@pytest.mark.parametrize(
    "secret",
    [EXAMPLE_SECRET, f"ssh-rsa {token_urlsafe(48)}", "   "],
    ids=["example", "a key pair's half", "blank"],
)
def test_a_secret_that_may_not_verify_is_replaced_and_not_kept(
    manage: Manage, project: Path, secret: str
) -> None:
    """Rotating is the fix that production names for it; it must not need another one."""
    (project / ".env").write_text(f"JWT_SECRET='{secret}'\n")
    assert [key["use"] for key in manage("keys", "rotate").data] == ["signing"]
    new, previous = secrets_in(project)
    assert (len(new), previous) == (64, [""])


@pytest.mark.parametrize(
    "line", ["'one #two three-four'", "'it\\'s \"quoted\" #and more'", '"back\\\\slash #x"']
)
def test_a_secret_that_needs_quotes_goes_on_verifying(
    manage: Manage, project: Path, line: str
) -> None:
    (project / ".env").write_text(f"JWT_SECRET={line}\n")
    old, _ = secrets_in(project)
    manage("keys", "rotate")
    assert secrets_in(project)[1] == [old]


@pytest.mark.parametrize(
    ("line", "reason"),
    [('"ends in #\\\\"', ".env can't hold")],
)
def test_a_secret_that_would_not_read_back_is_not_rotated_away(
    manage: Manage, project: Path, line: str, reason: str
) -> None:
    (project / ".env").write_text(f"JWT_SECRET={line}\n")
    outcome = manage("keys", "rotate")
    assert outcome.exit_code == 1
    assert reason in outcome.err
    assert "ends in" not in outcome.err
    assert (project / ".env").read_text() == f"JWT_SECRET={line}\n"


def test_a_secret_with_a_line_break_is_kept_as_it_counts(manage: Manage, project: Path) -> None:
    secret = token_urlsafe(48)
    (project / ".env").write_text(f"JWT_SECRET='{secret}\n'\n")
    known = manage("keys", "list").data[0]["kid"]
    assert manage("keys", "rotate").data[1]["kid"] == known
    assert secrets_in(project)[1] == [secret]


def test_a_link_to_the_file_is_followed(manage: Manage, project: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.env"
    (project / ".env").rename(shared)
    (project / ".env").symlink_to(shared)
    manage("keys", "rotate")
    assert (project / ".env").is_symlink()
    assert dotenv_values(shared)["JWT_PREVIOUS_SECRETS"]


def test_a_file_that_can_not_be_written_stays(manage: Manage, project: Path) -> None:
    (project / ".env").unlink()
    (project / ".env").mkdir()
    outcome = manage("keys", "rotate")
    assert outcome.exit_code == 1
    assert "can't be" in outcome.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_under_sudo_the_file_stays_its_owners(manage: Manage, project: Path) -> None:
    """Or the service could not read its own settings after it."""
    os.chown(project / ".env", 12_345, 12_346)
    manage("keys", "rotate")

    after = (project / ".env").stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (12_345, 12_346, 0o600)


def test_what_a_kill_would_leave_is_ignored_by_git(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: set[str] = set()

    def watched(file: Path, *args: Any, **options: Any) -> None:
        left.update(path.name for path in project.iterdir() if path.name != ".env")
        private = stat.S_IMODE(file.parent.stat().st_mode)
        assert private == 0o700
        set_key(file, *args, **options)

    monkeypatch.setattr("app.manage.keys.set_key", watched)
    manage("keys", "rotate")

    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert len(left) == 2  # one for each line that is written
    assert [name for name in left if not any(fnmatch(name, line) for line in ignored)] == []
    assert {path.name for path in project.iterdir()} == {".env"}
