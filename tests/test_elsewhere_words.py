"""What is said on other people's machines: the one token, a setting's source, a name."""

import sqlite3
from pathlib import Path

import pytest
from tests.conftest import FakeProject, authkit, plain, terminal
from tests.token_cases import AT, GOOD, encode, header, make_project, signed

OTHER = signed(header(typ="rt+jwt"))
UNREACHABLE = "sqlite:////none/app.db"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("words") / "myapi")


@pytest.mark.parametrize(
    "text",
    [
        f"https://app.example.com/reset#token={GOOD}&next=/home.html",
        f"https://app.example.com/verify/{GOOD}?a=b.c.d",
        f"curl -s https://api.example.com/users -H 'Authorization: Bearer {GOOD}' --json '{{}}'",
        f'fetch("https://a.example.com", {{headers: {{authorization: `Bearer {GOOD}`}}}})',
        f"Cookie: theme=dark.mode.on; access_token={GOOD}; lang=de",
        f'{{"accessToken": "{GOOD}", "version": "1.2.3"}}',
        f"\u200b\u2060{GOOD[:20]}\u200b{GOOD[20:]}\ufeff",
        f"\u00a0{GOOD}\u00a0",
        f"INFO 10.0.0.1 GET /api?token={GOOD} 200",
        f"{GOOD}%",
        f"{GOOD}  # of yesterday",
        f"{GOOD}\nHTTP/1.1 200 OK",
        f"Authorization: Bearer {GOOD}\nHost: api.example.com\nUser-Agent: curl/8.4.0",
        f"https://a.example/login?next=https%3A%2F%2Fapp%2F%23token%3D{GOOD}%26x%3D1",
        f'{{"url": "https://a.example/?token\\u003d{GOOD}\\u0026x=1"}}',
        f"\x1b[36m{GOOD}\x1b[39;49m",
        f"> {GOOD[:60]}\n> {GOOD[60:]}\n",
        f"It was {GOOD}. Then nothing.",
    ],
    ids=[
        *("fragment", "path", "curl", "fetch", "cookie", "json", "no-width", "nbsp", "log", "zsh"),
        *("comment", "answer", "headers", "percent", "unicode", "colours", "mail", "prose"),
    ],
)
def test_the_one_token_is_taken_out_of_what_it_was_pasted_with(project: Path, text: str) -> None:
    result = authkit("token", "decode", "-", "--at", str(AT), "--json", cwd=project, stdin=text)

    assert (result.code, result.json["verdict"]) == (0, "VERIFIED"), result.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"access={GOOD}; refresh={OTHER}", "2 tokens are in this text"),
        (f"access={GOOD}; refresh={OTHER}", "that of access or refresh"),
        ("https://app.example.com/reset#token=5cKgVv0pQx2", "only its issuer can look it up"),
        ("curl -H 'Authorization: Bearer $TOKEN' http://localhost:8000/api", "has no token in it"),
        (f"{encode({'enc': 'A256GCM'})}..aXY.dGV4dA.dGFn", "this is encrypted"),
    ],
)
def test_where_there_is_not_one_token_it_is_said_where_to_look(
    project: Path, text: str, words: str
) -> None:
    result = authkit("token", "decode", "-", cwd=project, stdin=text)

    assert result.code == 2
    assert words in result.err


@pytest.mark.parametrize(
    ("args", "partial"),
    [
        (("-k", "login"), True),
        (("-klogin",), True),
        (("-m", "race"), True),
        (("app/config.py::test_one",), True),
        (("--lf",), True),
        (("--ignore-glob=tests/*",), True),
        (("-x", "-n", "2", "-v"), False),
        (("-k", "login", "--cov=app"), False),
        ((), False),
    ],
)
def test_a_part_of_the_tests_has_no_gate_of_coverage(
    fake: FakeProject, args: tuple[str, ...], partial: bool
) -> None:
    result = fake.run("test", "--", *args)

    assert result.code == 0, result.err
    assert fake.calls[-1]["args"] == (["--no-cov"] if partial else []) + list(args)
    assert ("their coverage is no gate" in result.err) == partial


@pytest.mark.parametrize("command", [("doctor",), ("info",), ("migrate",)])
def test_a_setting_from_the_environment_is_named_as_such(
    myapi: Path, command: tuple[str, ...]
) -> None:
    result = authkit(*command, cwd=myapi, env={"DATABASE_URL": UNREACHABLE, "LOG_LEVEL": "debug"})

    named = "DATABASE_URL" if command == ("migrate",) else "DATABASE_URL, LOG_LEVEL"
    assert f"from the environment, not from .env: {named}\n" in result.err


def test_of_a_finding_too(myapi: Path) -> None:
    found = authkit("doctor", "--json", cwd=myapi, env={"DATABASE_URL": UNREACHABLE}).json
    same = authkit("info", "--json", cwd=myapi, env={"LOG_LEVEL": "debug"}).json
    none = authkit("info", "--json", cwd=myapi).json

    assert found[0]["message"].endswith("(from the environment, not from .env: DATABASE_URL)")
    assert same["fromEnvironment"] == ["LOG_LEVEL"]
    assert none["fromEnvironment"] == []


def test_who_was_asked_for_is_named(myapi: Path, tmp_path: Path) -> None:
    copy = tmp_path / "app.db"
    with sqlite3.connect(myapi / "app.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    env = {"DATABASE_URL": f"sqlite:///{copy}"}
    session = "5f0c4a52-5d0c-4c0e-9a58-3c2f1d7e8b90"

    nobody = authkit("user", "show", "Nobody@example.com", cwd=myapi, env=env)
    issued = authkit("token", "issue", "nobody@example.com", cwd=myapi, env=env)
    gone = authkit(
        *("user", "revoke", "user@example.com", "--session", session), cwd=myapi, env=env
    )
    no_id = authkit(
        *("user", "revoke", "user@example.com", "--session", "mine"), cwd=myapi, env=env
    )
    revision = authkit("migrate", "--to", "0815", cwd=myapi, env=env)

    assert "error: there is no user nobody@example.com\nhint: list them: authkit user" in nobody.err
    assert "there is no user nobody@example.com" in issued.err
    assert f"user@example.com has no live session {session}" in gone.err
    assert f"error: 'mine' is no id; one is like {session}\n" in no_id.err
    assert "no revision starts with '0815'" in revision.err


def test_what_alembic_says_is_passed_on_by_new_whatever_else_is_said(tmp_path: Path) -> None:
    """Also beside warnings on the other stream."""
    result = authkit(
        *("new", str(tmp_path / "myapi"), "-y", "--database-url", UNREACHABLE),
        env={"PYTHONWARNINGS": "always", "PYTHONDEVMODE": "1"},
    )

    assert result.code == 1
    assert "failed: the database refuses: unable to open database file; make its file" in result.err


def test_a_missing_path_blames_nothing_else(tmp_path: Path) -> None:
    """As cron and some services start programs: without PATH, git is where it always is."""
    result = authkit(
        *("new", str(tmp_path / "myapi"), "--no-install", "-y"),
        env={"PATH": ""},
    )

    assert ".copier-answers.yml" not in result.err
    assert result.code == 0 or "git is not installed" in result.err


@pytest.mark.parametrize("command", ["new", "token", "update"])
def test_help_fits_into_forty_columns(command: str) -> None:
    """No line of prose or of options is wrapped by the terminal; examples are to be copied."""
    shown = plain(terminal(command, "--help", columns=40).out)

    prose = shown.partition("Usage:")[0]
    options = shown.partition("Options:")[2].partition("Examples:")[0]
    assert max(map(len, (prose + options).splitlines())) <= 40
    assert "Show this message" in shown
