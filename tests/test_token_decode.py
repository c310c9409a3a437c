"""`authkit token decode`: every way in which a token can be wrong, and how it is asked and told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests import token_cases
from tests.conftest import ESCAPE, FakeProject, authkit, environ, plain, terminal
from tests.token_cases import (
    AT,
    CASES,
    FOREIGN,
    GOOD,
    SECRET,
    SESSION,
    USER,
    Case,
    claims,
    header,
    judge,
    make_project,
    run,
    signed,
    status,
)

NOW = ("--at", str(AT))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that belongs to no project."""
    return tmp_path


@pytest.fixture
def project(outside: Path) -> Path:
    """Settings and a marker: neither an environment nor a database."""
    return make_project(outside / "myapi")


# --- verdicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_verdict_exit_code_and_reason(case: Case, project: Path, outside: Path) -> None:
    answer = judge(case, project, outside, "--json")

    assert answer.code == case.exit_code
    assert answer.report["verdict"] == case.verdict
    assert case.finding in {finding["code"] for finding in answer.findings} | {""}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_person_is_told_the_same(case: Case, project: Path, outside: Path) -> None:
    findings = judge(case, project, outside, "--json").findings
    answer = judge(case, project, outside)

    assert answer.code == case.exit_code
    told = answer.err if case.verdict == "MALFORMED" else answer.out
    assert all(finding["message"] in told for finding in findings)
    assert case.verdict in answer.out or case.verdict == "MALFORMED"
    assert "Traceback" not in answer.err


def test_the_documented_cases_are_these(project: Path, outside: Path) -> None:
    documented = token_cases.DOCUMENT.read_text(encoding="utf-8")

    assert documented == token_cases.document(project, outside), "run: python -m tests.token_cases"


def test_every_reason_is_given_at_once(project: Path) -> None:
    token = signed(
        header(typ="JWT", crit=["b64"]), claims(exp=AT - 60, iss="x", aud="y"), secret=FOREIGN
    )

    report = run("token", "decode", token, *NOW, "--json", directory=project).report

    codes = [reason["code"] for reason in report["reasons"]]
    assert codes == ["signature", "crit", "typ", "expired", "iss", "aud"]


def test_header_and_claims_are_shown_whatever_the_verdict(project: Path) -> None:
    token = signed(body=claims(exp=AT - 180), secret=FOREIGN)

    shown = run("token", "decode", token, *NOW, directory=project).out

    assert "typ  at+jwt · access token" in shown
    assert f"sub  {USER}" in shown
    assert "expired 3 min ago · 2026-01-31 11:57:00 UTC" in shown


def test_the_reader_s_own_time_stands_beside_utc(project: Path) -> None:
    result = authkit("token", "decode", GOOD, *NOW, cwd=project, env={"TZ": "Asia/Kolkata"})

    assert "exp  1769861520 · expires in 12 min · 2026-01-31 12:12:00 UTC · 17:42:00 +0530" in (
        result.out
    )


def test_the_database_names_the_user_and_the_session(project: Path, outside: Path) -> None:
    case = Case("", GOOD, "VERIFIED", 0, "", ("--online",), status())

    shown = judge(case, project, outside).out

    assert f"sub  {USER} · ada@example.com · user · active" in shown
    assert f"sid  {SESSION} · session live" in shown


# --- what is pasted ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {GOOD}",
        f"bearer   {GOOD}\n",
        f"Authorization: Bearer {GOOD}\r\n",
        f"-H 'Authorization: Bearer {GOOD}'",
        f'"{GOOD}"',
        f"`{GOOD}`",
        f'  "accessToken": "{GOOD}",',
        f"ACCESS_TOKEN={GOOD}",
        "\n  ".join(GOOD[start : start + 64] for start in range(0, len(GOOD), 64)),
        f"\ufeff{GOOD}",
    ],
    ids=lambda text: text[:24],
)
def test_what_surrounds_a_token_where_it_is_copied_does_not_matter(
    text: str, project: Path
) -> None:
    piped = run("token", "decode", *NOW, directory=project, stdin=text.encode())
    (project / "token.txt").write_text(text, encoding="utf-8")
    in_a_file = run("token", "decode", "@token.txt", *NOW, directory=project)

    assert (piped.code, in_a_file.code) == (0, 0)


def test_a_token_may_be_words_dash_or_utf_16(project: Path) -> None:
    assert run("token", "decode", "Bearer", GOOD, *NOW, directory=project).code == 0
    assert run("token", "decode", "-", *NOW, directory=project, stdin=GOOD.encode()).code == 0
    utf_16 = GOOD.encode("utf-16")
    assert run("token", "decode", *NOW, directory=project, stdin=utf_16).code == 0


@pytest.mark.parametrize("source", ["@missing.txt", "@.", "@", "@\0"])
def test_a_file_that_cannot_be_read_is_a_usage_error(source: str, project: Path) -> None:
    answer = run("token", "decode", source, directory=project)

    assert answer.code == 2
    assert "can't be read" in answer.err


def test_a_huge_file_is_not_read_to_its_end(project: Path) -> None:
    with (project / "huge").open("wb") as file:
        file.truncate(10_000_000_000)

    answer = run("token", "decode", "@huge", directory=project)

    assert answer.code == 2
    assert "no token is that long" in answer.err


def test_a_terminal_without_a_token_is_told_how(project: Path) -> None:
    result = terminal("token", "decode", cwd=project)

    assert result.code == 2
    assert "no token was given" in result.out


# --- what it is verified with --------------------------------------------------------------------


def test_the_environment_wins_over_dotenv(project: Path) -> None:
    token = signed(header(kid=token_cases.key_id(FOREIGN)), secret=FOREIGN)

    answer = run("token", "decode", token, *NOW, directory=project, JWT_SECRET=FOREIGN)

    assert answer.code == 0


def test_a_project_without_a_secret_leaves_it_unverified(project: Path) -> None:
    (project / ".env").unlink()

    answer = run(
        "token", "decode", GOOD, *NOW, directory=project, JWT_ISSUER="myapi", JWT_AUDIENCE="myapi"
    )

    assert answer.code == 5
    assert "JWT_SECRET is not set" in answer.out


def test_a_dotenv_that_is_not_text_is_no_traceback(project: Path) -> None:
    (project / ".env").write_bytes(b"JWT_SECRET=\xff\xfe\n")

    answer = run("token", "decode", GOOD, *NOW, directory=project)

    assert answer.code == 5
    assert "can't be read" in answer.err


def test_project_may_be_named_from_anywhere(project: Path, outside: Path) -> None:
    named = ("--project", str(project))

    assert run("token", "decode", GOOD, *NOW, *named, directory=outside).code == 0
    assert run(*named, "token", "decode", GOOD, *NOW, directory=outside).code == 0
    assert run("token", "decode", GOOD, "--project", "nowhere", directory=outside).code == 2


def test_a_key_is_never_taken_from_the_command_line(project: Path) -> None:
    answer = run("token", "decode", GOOD, "--key", SECRET, directory=project)

    assert answer.code == 2
    assert "never the key itself" in answer.err
    assert SECRET not in answer.err + answer.out


def test_no_secret_is_printed(project: Path, outside: Path) -> None:
    printed = [
        answer.out + answer.err
        for case in CASES
        for answer in (judge(case, project, outside), judge(case, project, outside, "--json"))
    ]

    assert not any(secret in text for text in printed for secret in (SECRET, token_cases.EARLIER))


def test_online_needs_a_project(outside: Path) -> None:
    answer = run("token", "decode", GOOD, "--online", directory=outside)

    assert answer.code == 2
    assert "not inside a project" in answer.err


def test_online_asks_the_project(fake: FakeProject) -> None:
    (fake.root / ".env").write_text(token_cases.ENV)
    fake.answer("manage token status", status({"revokedAt": "2026-01-31T11:57:00+00:00"}))

    result = fake.run("token", "decode", GOOD, *NOW, "--online", "--json")

    assert result.code == 5
    assert result.json["user"]["email"] == "ada@example.com"
    assert [reason["code"] for reason in result.json["reasons"]] == ["session-revoked"]


def test_a_project_that_cannot_answer_is_a_failure_after_the_report(fake: FakeProject) -> None:
    (fake.root / ".env").write_text(token_cases.ENV)
    fake.answer("manage token status", err="error: the database does not answer\n", code=1)

    result = fake.run("token", "decode", GOOD, *NOW, "--online")

    assert result.code == 1
    assert "VERIFIED" in result.out
    assert "the database does not answer" in result.err


def test_without_online_neither_database_nor_environment_is_needed(project: Path) -> None:
    assert not (project / ".venv").exists()
    assert authkit("token", "decode", GOOD, *NOW, cwd=project).code == 0


# --- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time",
    ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31 12:00", "1769860800.5"],
)
def test_at_takes_iso_8601_or_epoch_seconds(time: str, project: Path) -> None:
    assert run("token", "decode", GOOD, "--at", time, directory=project).code == 0


@pytest.mark.parametrize("time", ["", "yesterday", "nan", "inf", "-1", "1769860800000", "9" * 400])
def test_at_refuses_what_is_no_time(time: str, project: Path) -> None:
    answer = run("token", "decode", GOOD, "--at", time, directory=project)

    assert answer.code == 2
    assert "is not a time" in answer.err


@pytest.mark.parametrize(("late", "code"), [(-1, 0), (0, 5), (9, 5)])
def test_a_token_is_good_until_the_second_it_expires(late: int, code: int, project: Path) -> None:
    at = str(AT + 720 + late)

    assert run("token", "decode", GOOD, "--at", at, directory=project).code == code
    assert run("token", "decode", GOOD, "--at", at, "--leeway", "10", directory=project).code == 0


@pytest.mark.parametrize("leeway", ["-1", "86401", "9" * 400])
def test_a_leeway_that_no_clock_needs_is_refused(project: Path, leeway: str) -> None:
    refused = run("token", "decode", GOOD, "--leeway", leeway, directory=project)

    assert refused.code == 2
    assert "--leeway" in refused.err


# --- output --------------------------------------------------------------------------------------


def test_claim_prints_one_claim_alone(project: Path) -> None:
    body = claims(roles=["a", "b"], name="Ada\nLovelace")
    token = signed(body=body)

    def claim(name: str, *args: str) -> str:
        answer = run("token", "decode", token, *NOW, "--claim", name, *args, directory=project)
        assert (answer.code, answer.err) == (0, "")
        return answer.out

    assert claim("sub") == f"{USER}\n"
    assert claim("exp") == f"{AT + 720}\n"
    assert claim("roles") == '["a", "b"]\n'
    assert claim("name") == "Ada\\nLovelace\n"
    assert json.loads(claim("name", "--json")) == "Ada\nLovelace"


def test_claim_does_not_hide_that_the_token_is_bad(project: Path) -> None:
    token = signed(secret=FOREIGN)

    answer = run("token", "decode", token, *NOW, "--claim", "sub", directory=project)

    assert (answer.code, answer.out) == (5, f"{USER}\n")
    assert "INVALID: the signature does not fit" in answer.err

    unasked = run("token", "decode", token, "--no-verify", "--claim", "sub", directory=project)
    assert (unasked.code, unasked.out, unasked.err) == (0, f"{USER}\n", "")


def test_a_claim_that_is_not_there_is_named(project: Path) -> None:
    answer = run("token", "decode", GOOD, *NOW, "--claim", "email", directory=project)

    assert (answer.code, answer.out) == (2, "")
    assert "no claim email" in answer.err
    assert "iss, aud, sub" in answer.err


@pytest.mark.parametrize("args", [(), ("--json",), ("--claim", "x")], ids=str)
def test_claims_cannot_steer_the_terminal(args: tuple[str, ...], project: Path) -> None:
    hostile = "\x1b]0;owned\x07\x9b31m\u202e\u2028\ud800"
    token = signed(header(cty=hostile), claims(x=hostile) | {hostile: hostile})

    result = terminal("token", "decode", token, *NOW, *args, cwd=project)

    drawn = plain(result.out)
    assert "\x1b]0;owned" not in result.out
    assert not any(char in drawn for char in "\x1b\x07\x9b\u202e\u2028")


def test_a_terminal_sees_a_frame_and_colours_and_a_pipe_does_not(project: Path) -> None:
    on_screen = terminal("token", "decode", GOOD, *NOW, cwd=project)
    in_a_pipe = authkit("token", "decode", GOOD, *NOW, cwd=project)
    without_colour = terminal("token", "decode", GOOD, *NOW, cwd=project, env={"NO_COLOR": "1"})

    assert ESCAPE in on_screen.out
    assert "╭─" in on_screen.out
    assert "╭─" in without_colour.out
    assert ESCAPE not in without_colour.out
    assert ESCAPE not in in_a_pipe.out
    assert "\nVERIFIED\n" in in_a_pipe.out


@pytest.mark.parametrize("case", [case for case in CASES if case.inside], ids=lambda c: c.title)
def test_a_screen_of_80_columns_is_never_overrun(
    case: Case, project: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")

    drawn = judge(case, project, outside, screen=True).out

    assert "╭─" in drawn or case.verdict == "MALFORMED"
    assert all(len(line) <= 80 for line in drawn.splitlines())


def test_what_to_do_next_is_told_to_a_person_only(project: Path) -> None:
    expired = signed(body=claims(iat=AT - 1_000, exp=AT - 100))

    assert "--online asks" in terminal("token", "decode", GOOD, *NOW, cwd=project).out
    assert "POST /api/auth/refresh" in terminal("token", "decode", expired, *NOW, cwd=project).out
    assert authkit("token", "decode", expired, *NOW, cwd=project).err == ""


def test_json_has_dates_key_and_kind(project: Path) -> None:
    report = run("token", "decode", GOOD, *NOW, "--json", directory=project).report

    assert report["keyId"] == token_cases.key_id(SECRET)
    assert (report["key"], report["kind"]) == ("JWT_SECRET", "access token")
    assert report["dates"]["exp"]["utc"] == "2026-01-31T12:12:00Z"
    assert report["claims"] == claims()


def test_nothing_heavy_is_imported(project: Path) -> None:
    script = (
        "import sys; from authkit import cli; sys.argv = ['authkit', *sys.argv[1:]]\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'copier', 'sqlalchemy', 'fastapi', 'yaml', 'jwt', 'cryptography', 'jinja2'}\n"
        "sys.exit(f'imported: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", script, "token", "decode", GOOD, *NOW],
        cwd=project,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert "VERIFIED" in ended.stdout
