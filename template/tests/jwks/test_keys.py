"""`keys …` with key pairs, and a project that moves from the secret to one."""

import json
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from app.config import SettingsError, load_settings
from tests.helpers import migrate
from tests.jwks.test_settings import MAKE, REFUSED
from tests.manage.conftest import Manage, manage, project  # noqa: F401 - fixtures
from tests.rolling import load, roll, two_hosts
from tests.services import needs_haproxy
from tests.test_rolling_rotation import let_a_week_pass

Rows = list[tuple[str, str, str]]


def rows(manage: Manage) -> Rows:  # noqa: F811 - the fixture's value
    keys = manage("keys", "list").data
    return [(key["algorithm"], key["use"], key["tokens"]) for key in keys]


BEFORE = [("HS256", "signing", "access, refresh")]


def test_a_pair_takes_over_from_the_secret_in_three_steps(
    manage: Manage,  # noqa: F811
    project: Path,  # noqa: F811
    algorithm: str,
) -> None:
    manage("keys", "stage", "--algorithm", algorithm)
    assert rows(manage) == [*BEFORE, (algorithm, "staged", "access")]
    manage("keys", "rotate")
    access_by_secret = ("HS256", "verifying", "access")
    refresh_by_secret = ("HS256", "signing", "refresh")
    assert rows(manage) == [refresh_by_secret, (algorithm, "signing", "access"), access_by_secret]
    assert manage("keys", "list").data[2]["kid"] == "JWT_SECRET"
    manage("keys", "retire")
    assert access_by_secret in rows(manage), "tokens of `token issue` live as long as sessions"
    let_a_week_pass(project / ".env")
    manage("keys", "retire")
    assert rows(manage) == [refresh_by_secret, (algorithm, "signing", "access")]
    # And the next one of another kind.
    other = {"EdDSA": "ES256", "ES256": "EdDSA"}[algorithm]
    outcome = manage("keys", "rotate", "--algorithm", other)
    assert "users get 401" in outcome.err
    assert rows(manage)[1:] == [(other, "signing", "access"), (algorithm, "verifying", "access")]
    assert "PRIVATE" not in outcome.out + outcome.err


def test_moving_without_a_staged_pair_says_what_it_costs(
    manage: Manage,  # noqa: F811
    project: Path,  # noqa: F811
) -> None:
    outcome = manage("keys", "rotate", "--algorithm", "EdDSA")
    assert "users get 401" in outcome.err
    values = dotenv_values(project / ".env")
    assert re.fullmatch(
        r"-----BEGIN PRIVATE KEY-----[\w+/=]+-----END PRIVATE KEY-----,JWT_SECRET",
        values["JWT_PRIVATE_KEYS"] or "",
    )


def test_one_key_of_a_kind_is_staged(manage: Manage) -> None:  # noqa: F811
    manage("keys", "stage", "--algorithm", "EdDSA")
    for command in ("stage", "rotate"):
        outcome = manage("keys", command, "--algorithm", "ES256")
        assert outcome.exit_code == 1
        assert "a key for EdDSA is staged already" in outcome.err
    manage("keys", "stage")
    assert [use for _, use, _ in rows(manage)].count("staged") == 2, "and a secret beside it"
    manage("keys", "rotate", "--algorithm", "HS256")
    assert [use for _, use, _ in rows(manage)].count("staged") == 1


def test_a_pair_can_be_removed_and_the_signing_one_not(manage: Manage) -> None:  # noqa: F811
    manage("keys", "rotate", "--algorithm", "EdDSA")
    manage("keys", "rotate", "--algorithm", "ES256")
    signing, earlier = [key["kid"] for key in manage("keys", "list").data][1:3]
    assert manage("keys", "remove", signing).exit_code == 1
    assert earlier not in [key["kid"] for key in manage("keys", "remove", earlier).data]


@pytest.mark.parametrize("name", ["a key.pem", "keys\\new.pem"])
def test_a_file_is_named_and_stays(
    manage: Manage,  # noqa: F811
    project: Path,  # noqa: F811
    pair: str,
    name: str,
) -> None:
    (project / name).write_text(pair)
    with (project / ".env").open("a") as file:
        file.write(f"JWT_PRIVATE_KEYS={name}\n")
    manage("keys", "rotate", "--algorithm", "EdDSA")
    assert (dotenv_values(project / ".env")["JWT_PRIVATE_KEYS"] or "").endswith(f",{name}")


def test_a_broken_key_is_one_sentence(
    manage: Manage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JWT_PRIVATE_KEYS", "canary.pem")
    outcome = manage("keys", "list")
    assert outcome.exit_code == 1
    assert outcome.err.startswith("error: a key of JWT_PRIVATE_KEYS")
    assert "canary" not in outcome.err
    [finding] = json.loads(manage("check").out)
    assert finding["id"] == "jwt_private_keys"


@pytest.mark.parametrize("name", ["JWT_PRIVATE_KEYS", "JWT_STAGED_PRIVATE_KEY"])
@pytest.mark.parametrize("case", REFUSED)
def test_the_fix_that_the_start_names_works(
    manage: Manage,  # noqa: F811
    project: Path,  # noqa: F811
    case: str,
    name: str,
) -> None:
    """Both say the same: while the broken key stands there, nothing is made beside it."""
    before = (project / ".env").read_text()
    value, _ = REFUSED[case]
    broken = f"{before}{name}='{value}'\n"
    if "\0" not in value:
        (project / ".env").write_text(broken)
        for command in ("stage", "rotate"):
            outcome = manage("keys", command, "--algorithm", "EdDSA")
            assert outcome.exit_code == 1
            assert (project / ".env").read_text() == broken
            if MAKE in problem_of(name):
                assert f"leave it out and run `python -m app.manage {MAKE}`" in outcome.err
    (project / ".env").write_text(before)  # left out
    assert manage("keys", *MAKE.split()[1:]).data[-1]["use"] == "staged"
    load_settings()


def problem_of(name: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    [problem] = [said for setting, said in caught.value.problems if setting == name]
    return problem


def test_a_pair_is_rotated_once(manage: Manage) -> None:  # noqa: F811
    """Nor is a secret put in its place by who comes second."""
    manage("keys", "stage", "--algorithm", "EdDSA")
    keys = manage("keys", "rotate").data
    for command in (["rotate"], ["rotate", "--algorithm", "EdDSA"]):
        outcome = manage("keys", *command)
        assert f"rotated already: {keys[1]['kid']} has signed since" in outcome.err
        assert outcome.data == keys


def test_a_pair_without_a_date_is_told(
    manage: Manage,  # noqa: F811
    project: Path,  # noqa: F811
    pair: str,
) -> None:
    with (project / ".env").open("a") as file:
        file.write(f"JWT_PRIVATE_KEYS={pair},JWT_SECRET\n")
    found = [finding["message"] for finding in json.loads(manage("check").out)]
    assert sum("JWT_KEY_DATES lacks a date" in message for message in found) == 2
    assert all(key["since"] for key in manage("keys", "retire").data)


@needs_haproxy
async def test_nobody_is_signed_out_while_a_project_moves_to_a_key_pair(
    values: dict[str, str], tmp_path: Path
) -> None:
    async with two_hosts(tmp_path, values) as hosts, load(hosts) as clients:
        for step in (["stage", "--algorithm", "EdDSA"], ["rotate"], ["retire"]):
            await hosts.keys(*step)
            if step == ["rotate"]:
                let_a_week_pass(tmp_path / ".env")
            await roll(hosts, clients)
        moved = (dotenv_values(tmp_path / ".env")["JWT_PRIVATE_KEYS"] or "").split(",")
        assert ("JWT_SECRET" in moved, len(moved)) == (False, 1)
        assert {status for _, status in clients.statuses} == {200}


def test_an_issued_token_is_signed_by_the_pair(
    manage: Manage,  # noqa: F811
    values: dict[str, str],
) -> None:
    migrate(values["database_url"])
    manage("keys", "rotate", "--algorithm", "EdDSA")
    kid = manage("keys", "list").data[1]["kid"]
    manage("user", "create", "ada@example.com")
    token = manage("token", "issue", "ada@example.com").data["accessToken"]
    from tests.accounts.test_tokens import decoded  # noqa: PLC0415

    header = decoded(token.split(".")[0])
    assert (header["alg"], header["kid"]) == ("EdDSA", kid)
