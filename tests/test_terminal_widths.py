"""What a person reads on a narrow screen: whole words, nothing without a name, nothing left out."""

import shutil
from pathlib import Path

import pytest
from tests.conftest import FakeProject, plain, terminal
from tests.test_elsewhere_updates import earlier

__all__ = ["earlier"]

SETTINGS = {
    "DATABASE_URL": "sqlite:////srv/some/where/app.db",
    "RATE_LIMIT_GENERAL": "100/15 minutes",
    "JWT_KEY_DATES": {"0123456789abcdef": "2026-11-28T03:37:28Z"},
}


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_prose_is_broken_between_words_and_commands_are_whole(
    fake: FakeProject, columns: int
) -> None:
    message = "the mail server answers, but it does not let these credentials in (535)"
    fix = "authkit keys rotate --algorithm EdDSA --project /srv/some/where/else/myapi"
    finding = {"id": "mail", "severity": "error", "message": message, "fix": fix}
    fake.answer("manage check", [finding])

    lines = plain(fake.terminal("doctor", columns=columns).out).splitlines()

    said = lines[: lines.index(f"  {fix}")]
    assert max(map(len, said)) <= columns
    assert said[0].startswith("✗ the mail server")
    assert all(line.startswith("  ") for line in said[1:])
    assert " ".join(" ".join(said).split()) == f"✗ {message}"


def test_a_value_stands_beside_its_name_or_whole_below_it(fake: FakeProject) -> None:
    answer = {"database": "sqlite", "limits": "memory", "settings": SETTINGS}
    fake.answer("manage info", answer)

    shown = plain(fake.terminal("info", columns=40).out)

    assert "DATABASE_URL\n  sqlite:////srv/some/where/app.db\n" in shown
    assert "RATE_LIMIT_GENERAL  100/15 minutes\n" in shown
    assert "JWT_KEY_DATES\n  0123456789abcdef@2026-11-28T03:37:28Z\n" in shown


@pytest.mark.parametrize("columns", [40, 80])
def test_what_becomes_of_each_file_is_said_on_a_narrow_screen_too(
    earlier: Path, tmp_path: Path, columns: int
) -> None:
    project = Path(shutil.copytree(earlier, tmp_path / "myapi", symlinks=True))

    shown = plain(terminal("update", "--dry-run", cwd=project, columns=columns).out)

    assert "would be changed tests/conftest.py\n" in shown
    assert "would be removed" in shown or "would be moved" in shown
    prose = shown.partition("would be")[0].splitlines()
    assert all(len(line) <= columns or " " not in line.strip(" -") for line in prose), (
        "only a word that is longer than the screen is longer than a line"
    )


def test_a_person_is_not_shown_the_log_of_what_they_did(fake: FakeProject) -> None:
    """Where there is no /dev/log, as in containers, the log's lines are on standard error."""
    user = {"email": "ada@example.com", "role": "user", "isActive": True, "createdAt": "2026-11-28"}
    event = '{"event":"auth.user_created","actor":"operator ada","level":"info"}\n'
    fake.answer("manage user set-role", user, err=event + "a warning\n")

    seen = plain(fake.terminal("user", "set-role", "ada@example.com", "user").out)
    piped = fake.run("user", "set-role", "ada@example.com", "user")

    assert "a warning" in seen
    assert "auth.user_created" not in seen
    assert event in piped.err


def test_a_path_is_told_without_what_was_typed_to_get_there(fake: FakeProject) -> None:
    (fake.root / "app" / "deep").mkdir()

    result = fake.run("info", "--project", "app/deep/../..")

    assert f"root\t{fake.root}\n" in result.out
