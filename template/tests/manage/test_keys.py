"""Rotating the signing secret in `.env`."""

import fcntl
import json
import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe

import pytest
from dotenv import dotenv_values, set_key

from app.accounts.key_rings import key_id
from app.config import load_settings
from app.foundation.checks.production import EXAMPLE_SECRET
from tests.live import environment
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
    assert [(key["kid"], key["use"]) for key in keys] == [
        (key_id(new), "signing"),
        (key_id(old), "verifying"),
    ]
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
    assert manage("keys", "list").data == keys


def test_nothing_else_in_the_file_changes(manage: Manage, project: Path) -> None:
    before = (project / ".env").read_text().splitlines()
    manage("keys", "rotate")
    after = (project / ".env").read_text().splitlines()
    kept = [line for line in after if not line.startswith("JWT_")]
    assert kept == [line for line in before if not line.startswith("JWT_")]


def test_the_line_breaks_of_windows_stay(manage: Manage, project: Path) -> None:
    others = b"# of ours\r\nAPP_NAME='two\r\nlines'\r\n"
    (project / ".env").write_bytes(f"JWT_SECRET={token_urlsafe(48)}\r\n".encode() + others)
    manage("keys", "rotate")
    assert others in (project / ".env").read_bytes()
    assert len(manage("keys", "list").data) == 2


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
    "line",
    [
        "'one #two three-four'",
        "'it\\'s \"quoted\" #and more'",
        '"back\\\\slash #x"',
        '"ends in #\\\\"',
    ],
)
def test_a_secret_that_needs_quotes_goes_on_verifying(
    manage: Manage, project: Path, line: str
) -> None:
    (project / ".env").write_text(f"JWT_SECRET={line}\n")
    old, _ = secrets_in(project)
    manage("keys", "rotate")
    assert secrets_in(project)[1] == [old]


def test_a_secret_that_would_not_read_back_is_not_rotated_away(
    manage: Manage, project: Path
) -> None:
    """Where it stands, it is put together; written out, it would name a variable."""
    text = "DOLLAR='$'\nJWT_SECRET='${DOLLAR}{NAME} ends the secret'\n"
    (project / ".env").write_text(text)
    outcome = manage("keys", "rotate")
    assert outcome.exit_code == 1
    assert ".env can't hold" in outcome.err
    assert "ends the" not in outcome.err
    assert (project / ".env").read_text() == text


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


def test_a_link_that_leads_nowhere_is_one_sentence(
    manage: Manage, project: Path, tmp_path: Path
) -> None:
    (project / ".env").unlink()
    (project / ".env").symlink_to(tmp_path / "nowhere" / ".env")
    for command in ("rotate", "stage", "retire"):
        outcome = manage("keys", command)
        assert outcome.exit_code == 1
        assert outcome.err.startswith("error: .env can't be written: No such file")


def test_a_file_that_can_not_be_written_stays(manage: Manage, project: Path) -> None:
    (project / ".env").unlink()
    (project / ".env").mkdir()
    outcome = manage("keys", "rotate")
    assert outcome.exit_code == 1
    assert "can't be" in outcome.err


def uses(manage: Manage) -> dict[str, str]:
    return {key["kid"]: key["use"] for key in manage("keys", "list").data}


def date_back(project: Path, days: int) -> None:
    """Let each key be what it is for so long, as `JWT_KEY_DATES` says."""
    spelled = dotenv_values(project / ".env")["JWT_KEY_DATES"] or ""
    set_dates(project, {entry.partition("@")[0]: days for entry in spelled.split(",")})


def set_dates(project: Path, ages: dict[str, int]) -> None:
    now = datetime.now(UTC)
    dates = {kid: (now - timedelta(days=days)).isoformat() for kid, days in ages.items()}
    spelled = ",".join(f"{kid}@{date}" for kid, date in dates.items())
    set_key(project / ".env", "JWT_KEY_DATES", spelled, quote_mode="never")


def test_three_steps_replace_the_secret(manage: Manage, project: Path) -> None:
    old, _ = secrets_in(project)
    [_, staged] = manage("keys", "stage").data
    assert uses(manage) == {key_id(old): "signing", staged["kid"]: "staged"}
    assert secrets_in(project) == (old, [""]), "nothing signs with it yet"
    assert "restart each host" in staged["next"]
    assert manage("keys", "stage").data == manage("keys", "list").data, "one is enough"

    outcome = manage("keys", "rotate")
    assert "nothing was staged" not in outcome.err
    new, previous = secrets_in(project)
    assert (key_id(new), previous) == (staged["kid"], [old])
    assert uses(manage) == {key_id(new): "signing", key_id(old): "verifying"}

    date_back(project, 8)
    assert uses_of(manage("keys", "retire").data) == ["signing"]
    assert secrets_in(project) == (new, [""])


def uses_of(keys: list[dict[str, str]]) -> list[str]:
    return [key["use"] for key in keys]


def test_a_rotation_without_a_staged_key_says_what_it_costs(manage: Manage) -> None:
    outcome = manage("keys", "rotate")
    assert outcome.exit_code == 0
    assert "users get 401. With several hosts, stage first" in outcome.err


def test_a_key_is_retired_when_no_token_can_need_it(manage: Manage, project: Path) -> None:
    manage("keys", "rotate")
    [_, verifying] = manage("keys", "retire").data
    until = datetime.fromisoformat(verifying["retireFrom"]) - datetime.now(UTC)
    assert timedelta(days=7, hours=23) < until <= timedelta(days=8)

    set_key(project / ".env", "REFRESH_TOKEN_DAYS", "30", quote_mode="never")
    for days, left in ((8, 2), (30, 2), (31, 1)):
        date_back(project, days)
        assert len(manage("keys", "retire").data) == left


def test_the_hosts_have_a_day_to_restart(manage: Manage, project: Path) -> None:
    """Until then they sign with the key before: what it signed on that day must not be lost."""
    [_, verifying] = manage("keys", "rotate").data
    assert "keys retire, from " in verifying["next"]
    assert "if each host was restarted by " in verifying["next"]
    date_back(project, 7)
    assert uses_of(manage("keys", "retire").data) == ["signing", "verifying"]
    date_back(project, 8)
    assert uses_of(manage("keys", "retire").data) == ["signing"]


@pytest.mark.parametrize("days", ["30.0", " 30 ", "30"])
def test_the_life_of_a_session_is_read_as_the_application_reads_it(
    manage: Manage, project: Path, days: str
) -> None:
    manage("keys", "rotate")
    set_key(project / ".env", "REFRESH_TOKEN_DAYS", days)
    assert load_settings().refresh_token_days == 30
    for since, left in ((30, 2), (31, 1)):
        date_back(project, since)
        assert len(manage("keys", "retire").data) == left


def test_names_count_in_any_case_as_for_the_application(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, other = token_urlsafe(48), token_urlsafe(48)
    (project / ".env").write_text(f"jwt_secret={old}\nJwt_Previous_Secrets={other}\n")
    keys = manage("keys", "list").data
    assert [key["kid"] for key in keys] == [key_id(old), key_id(other)]
    manage("keys", "rotate")
    settings = load_settings()
    assert key_id(settings.jwt_secret.get_secret_value()) == manage("keys", "list").data[0]["kid"]
    assert [secret.get_secret_value() for secret in settings.jwt_previous_secrets] == [old, other]
    assert "jwt_secret" not in (project / ".env").read_text(), "each setting stands there once"

    monkeypatch.setenv("jwt_secret", other)
    outcome = manage("keys", "stage")
    assert outcome.exit_code == 1
    assert "JWT_SECRET is set in the environment" in outcome.err


def test_an_earlier_key_of_an_unknown_age_is_kept_for_a_life_from_now(
    manage: Manage, project: Path
) -> None:
    """As of a project from before there were dates."""
    secret, earlier = token_urlsafe(48), token_urlsafe(48)
    (project / ".env").write_text(f"JWT_SECRET={secret}\nJWT_PREVIOUS_SECRETS={earlier}\n")
    keys = manage("keys", "list").data
    assert [key["retireFrom"] for key in keys] == [None, None]
    assert all("keys retire, which counts its age from today on" in key["next"] for key in keys)
    assert uses_of(manage("keys", "retire").data) == ["signing", "verifying"]
    date_back(project, 8)
    assert uses_of(manage("keys", "retire").data) == ["signing"]


def test_a_key_is_needed_from_when_its_successor_signs(manage: Manage, project: Path) -> None:
    """Who rotates by hand may leave it the date on which it began to sign."""
    new, old, oldest = (token_urlsafe(48) for _ in range(3))
    text = f"JWT_SECRET={new}\nJWT_PREVIOUS_SECRETS={old},{oldest}\n"
    (project / ".env").write_text(text)
    kids = [key_id(secret) for secret in (new, old, oldest)]
    set_dates(project, dict(zip(kids, (0, 6, 400), strict=True)))
    assert uses_of(manage("keys", "retire").data) == ["signing", "verifying", "verifying"]
    assert not any("not finished" in message for message, _ in check_findings(manage))
    set_dates(project, dict(zip(kids, (7, 8, 400), strict=True)))
    assert list(uses(manage)) == kids, "the second one signed until a week ago"
    assert uses_of(manage("keys", "retire").data) == ["signing", "verifying"]
    set_dates(project, {kids[1]: 400})
    assert uses_of(manage("keys", "retire").data) == ["signing", "verifying"], "as of now"
    date_back(project, 8)
    assert uses_of(manage("keys", "retire").data) == ["signing"]


@pytest.mark.parametrize("days", ["0", "366", "9" * 12, "many"])
def test_a_life_that_the_start_refuses_stops_no_command(
    manage: Manage, project: Path, days: str
) -> None:
    manage("keys", "rotate")
    set_key(project / ".env", "REFRESH_TOKEN_DAYS", days)
    [_, verifying] = manage("keys", "list").data
    left = datetime.fromisoformat(verifying["retireFrom"]) - datetime.now(UTC)
    assert left.days == 7


def test_the_key_that_signs_is_not_retired_as_an_earlier_one(manage: Manage, project: Path) -> None:
    """After a way back by hand it stands in both places."""
    secret, other = token_urlsafe(48), token_urlsafe(48)
    (project / ".env").write_text(f"JWT_SECRET={secret}\nJWT_PREVIOUS_SECRETS={other},{secret}\n")
    manage("keys", "retire")
    date_back(project, 30)

    assert uses_of(manage("keys", "retire").data) == ["signing"]
    assert secrets_in(project)[0] == secret


def test_a_staged_key_can_be_dropped(manage: Manage, project: Path) -> None:
    [_, staged] = manage("keys", "stage").data
    assert uses_of(manage("keys", "remove", staged["kid"]).data) == ["signing"]
    assert dotenv_values(project / ".env")["JWT_STAGED_SECRET"] == ""


def test_nothing_is_staged_before_there_is_a_key(manage: Manage, project: Path) -> None:
    (project / ".env").unlink()
    outcome = manage("keys", "stage")
    assert outcome.exit_code == 1
    assert "keys rotate makes one" in outcome.err
    assert not (project / ".env").exists()


def test_the_ids_of_the_last_retired_keys_are_remembered(manage: Manage, project: Path) -> None:
    gone = []
    for _ in range(12):
        gone.append(manage("keys", "list").data[0]["kid"])
        manage("keys", "rotate")
        manage("keys", "remove", gone[-1])
    known = (dotenv_values(project / ".env")["JWT_KEY_DATES"] or "").split(",")
    assert {entry.partition("@")[0] for entry in known} >= set(gone[-9:])
    assert len(known) <= 11


def keys_process(project: Path, command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "app.manage", "keys", command],
        cwd=project,
        env=environment({}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def at_once(project: Path, command: str, times: int) -> list[str]:
    """What so many processes say on standard error that all wait for each other."""
    lock = os.open(project, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    processes = [keys_process(project, command) for _ in range(times)]
    wait_for_lock(processes)
    os.close(lock)
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * times
    return said


@pytest.mark.parametrize("staged", [True, False], ids=["staged", "unstaged"])
def test_a_key_is_rotated_once_however_many_ask(
    manage: Manage, project: Path, *, staged: bool
) -> None:
    """A second rotation would sign with a key that no other host knows; nor is any key lost."""
    old, _ = secrets_in(project)
    kid = manage("keys", "stage").data[1]["kid"] if staged else None
    said = at_once(project, "rotate", 3)
    new, previous = secrets_in(project)
    assert previous == [old]
    assert kid in (None, key_id(new))
    again = [f"this was rotated already: {key_id(new)} has signed since" in text for text in said]
    assert again.count(True) == 2
    assert [path.name for path in project.glob(".env*")] == [".env"]


def test_a_rotation_that_was_done_is_not_done_again(manage: Manage, project: Path) -> None:
    """By who comes later, too: a script that runs on each host, or a second try."""
    old, _ = secrets_in(project)
    [_, staged] = manage("keys", "stage").data
    manage("keys", "rotate")
    for command in (["rotate"], ["rotate", "--algorithm", "HS256"]):
        outcome = manage("keys", *command)
        assert f"rotated already: {staged['kid']} has signed since" in outcome.err
        assert [key["kid"] for key in outcome.data] == [staged["kid"], key_id(old)]

    kid = manage("keys", "stage").data[1]["kid"]
    assert manage("keys", "rotate").data[0]["kid"] == kid, "one more, when that is meant"
    date_back(project, 1)
    assert "nothing was staged" in manage("keys", "rotate").err


def test_a_key_without_a_date_took_over_from_none(manage: Manage, project: Path) -> None:
    """What `retire` dates has not been rotated just now."""
    text = f"JWT_SECRET={token_urlsafe(48)}\nJWT_PREVIOUS_SECRETS={token_urlsafe(48)}\n"
    (project / ".env").write_text(text)
    manage("keys", "retire")
    assert "rotated already" not in manage("keys", "rotate").err


def wait_for_lock(processes: list[subprocess.Popen[str]]) -> None:
    """Until each of them stands before it: the kernel lists who waits, with an arrow."""
    waiting: set[str] = set()
    while waiting < {str(process.pid) for process in processes}:
        lines = Path("/proc/locks").read_text().splitlines()
        waiting |= {line.split()[5] for line in lines if "->" in line}
        assert all(process.poll() is None for process in processes)
        time.sleep(0.02)


def test_a_kill_amid_a_write_leaves_the_file_as_it_was(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (project / ".env").read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    assert manage("keys", "rotate").exit_code == 130
    assert (project / ".env").read_bytes() == before
    assert [path.name for path in project.glob(".env*")] == [".env"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_and_the_mode_of_the_file_stay(manage: Manage, project: Path) -> None:
    """As when it is run with sudo: the service must still be able to read it."""
    os.chown(project / ".env", 12345, 12345)
    (project / ".env").chmod(0o640)
    manage("keys", "rotate")
    state = (project / ".env").stat()
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (12345, 12345, 0o640)


def check_findings(manage: Manage) -> list[tuple[str, str]]:
    found = json.loads(manage("check").out)
    return [(finding["message"], finding["fix"]) for finding in found]


def test_check_tells_of_a_rotation_that_was_left_half_done(manage: Manage, project: Path) -> None:
    manage("keys", "stage")
    [(message, fix)] = check_findings(manage)
    assert "a rotation is under way" in message
    assert "restart each host" in fix

    manage("keys", "rotate")
    assert check_findings(manage) == [], "a key that is still needed is no news"
    date_back(project, 8)
    [(message, fix)] = check_findings(manage)
    assert "a rotation is not finished" in message
    assert fix == "python -m app.manage keys retire"


@pytest.mark.parametrize("earlier", [True, False], ids=["and an earlier one", "alone"])
def test_check_tells_of_keys_without_a_date(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch, *, earlier: bool
) -> None:
    """Of a project from before there were dates, or put in by hand: they would stay for ever."""
    secret = token_urlsafe(48)
    previous = f"JWT_PREVIOUS_SECRETS={token_urlsafe(48)}\n" if earlier else ""
    (project / ".env").write_text(f"JWT_SECRET={secret}\n{previous}")
    found = [
        finding for finding in check_findings(manage) if "JWT_KEY_DATES lacks a date" in finding[0]
    ]
    assert len(found) == 1 + earlier
    assert found[0][0].startswith(f"the age of the HS256 key {key_id(secret)} is not known")
    assert {fix for _, fix in found} == {"python -m app.manage keys retire"}
    monkeypatch.setenv("JWT_KEY_MAX_DAYS", "0")
    found = [
        finding for finding in check_findings(manage) if "JWT_KEY_DATES lacks a date" in finding[0]
    ]
    assert len(found) == earlier, "no age is too old"
    monkeypatch.delenv("JWT_KEY_MAX_DAYS")

    assert all(key["since"] for key in manage("keys", "retire").data)
    assert not any("JWT_KEY_DATES lacks a date" in message for message, _ in check_findings(manage))
    assert secrets_in(project)[0] == secret


def test_a_secret_of_the_environment_gets_its_date_in_the_file(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = token_urlsafe(48)
    (project / ".env").write_text("")
    monkeypatch.setenv("JWT_SECRET", f" {secret} ")
    assert manage("keys", "retire").data[0]["since"]
    assert secret not in (project / ".env").read_text()


def test_check_tells_of_a_key_that_is_older_than_its_owner_wants(
    manage: Manage, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manage("keys", "rotate")
    new, _ = secrets_in(project)
    date_back(project, 365)
    [(message, fix)] = check_findings(manage)[:1]
    assert f"the HS256 key {key_id(new)} has signed for 365 days" in message
    assert fix == "python -m app.manage keys stage"
    monkeypatch.setenv("JWT_KEY_MAX_DAYS", "0")
    assert not any("has signed" in message for message, _ in check_findings(manage))
