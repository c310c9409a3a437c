"""The operator commands against a scripted project: what they call, print, ask and answer."""

import json
import re
import socket
import stat
import subprocess
from typing import Any

import pytest
from tests.conftest import AUTHKIT, ESCAPE, FakeProject, environ, plain

from authkit import __version__

ADA: dict[str, Any] = {
    "id": "5f0c4a52-5d0c-4c0e-9a58-3c2f1d7e8b90",
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "role": "user",
    "isActive": True,
    "createdAt": "2026-01-02T03:04:05Z",
}
SESSION = {
    "id": "0b8f9c1e-6f0e-4a55-8f43-2f6f6d2c7a10",
    "createdAt": "2026-01-02T03:04:05Z",
    "lastUsedAt": "2026-01-03T03:04:05Z",
    "expiresAt": "2026-01-09T03:04:05Z",
    "userAgent": "curl/8.5\x1b]0;owned\x07",
    "ipAddress": "203.0.113.9",
}
EVENT = {
    "createdAt": "2026-01-02T03:04:05Z",
    "event": "auth.role_changed",
    "ipAddress": "203.0.113.9",
    "userAgent": "curl/8.5\x1b]0;owned\x07",
    "sessionId": None,
    "actor": "operator root",
    "details": {"role": "admin"},
    "requestId": None,
}
KEYS = [
    {"kid": "0123456789abcdef", "use": "signing"},
    {"kid": "fedcba9876543210", "use": "verifying"},
]
HISTORY = (
    "0002 -> 0003 (head), add notes, and more\n"
    "0001 -> 0002 (current), add sessions\n"
    "<base> -> 0001, create tables\n"
)
PASSWORD = "given-Passw0rd"


@pytest.fixture
def project(fake: FakeProject) -> FakeProject:
    """A scripted project with a user, sessions, keys and migrations."""
    for action in ("activate", "deactivate", "set-role"):
        fake.answer(f"manage user {action}", ADA)
    fake.answer("manage user show", ADA | {"sessions": 2})
    fake.answer("manage user create", ADA | {"password": "generated-1A"})
    fake.answer("manage user set-password", ADA | {"password": "generated-1A"})
    fake.answer("manage user list", {"users": [ADA], "total": 3, "limit": 1, "offset": 0})
    fake.answer("manage user sessions", {"sessions": [SESSION]})
    fake.answer("manage user revoke", {"revoked": 1})
    fake.answer("manage user events", {"events": [EVENT], "total": 3, "limit": 1, "offset": 0})
    fake.answer("manage keys", KEYS)
    fake.answer(
        "manage seed",
        [
            {"email": "admin@example.com", "role": "admin", "password": "generated-1A"},
            {"email": "user@example.com", "role": "user"},
        ],
    )
    fake.answer("alembic history", out=HISTORY)
    return fake


DATA_COMMANDS = [
    ["seed"],
    ["user", "create", "ada@example.com"],
    ["user", "list"],
    ["user", "show", "ada@example.com"],
    ["user", "activate", "ada@example.com"],
    ["user", "deactivate", "ada@example.com"],
    ["user", "set-role", "ada@example.com", "admin"],
    ["user", "set-password", "ada@example.com"],
    ["user", "sessions", "ada@example.com"],
    ["user", "revoke", "ada@example.com"],
    ["user", "events", "ada@example.com"],
    ["keys", "list"],
    ["keys", "rotate"],
    ["keys", "remove", "fedcba9876543210"],
    ["migrate"],
    ["info"],
]


@pytest.mark.parametrize("command", DATA_COMMANDS, ids=" ".join)
def test_json_is_alone_on_stdout(project: FakeProject, command: list[str]) -> None:
    answer = project.run(*command, "--json")

    assert answer.code == 0
    assert isinstance(answer.json, (dict, list))
    assert ESCAPE not in answer.out + answer.err


@pytest.mark.parametrize("command", DATA_COMMANDS, ids=" ".join)
def test_a_pipe_gets_lines_without_escapes_padding_or_questions(
    project: FakeProject, command: list[str]
) -> None:
    answer = project.run(*command)

    assert answer.code == 0
    assert ESCAPE not in answer.out + answer.err
    assert "[y/N]" not in answer.err
    assert not any(line != line.rstrip(" ") for line in answer.out.splitlines())


@pytest.mark.parametrize("command", [["seed"], ["info"], ["migrate"]], ids=" ".join)
def test_no_color_leaves_a_terminal_without_colour(
    project: FakeProject, command: list[str]
) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*m")

    assert colour.search(project.terminal(*command).out)
    assert not colour.search(project.terminal(*command, env={"NO_COLOR": "1"}).out)


def test_a_user_is_shown_to_a_person_and_to_a_program(project: FakeProject) -> None:
    piped = project.run("user", "show", "ada@example.com").out
    seen = plain(project.terminal("user", "show", "ada@example.com").out)

    assert dict(line.split("\t") for line in piped.splitlines())["created"] == ADA["createdAt"]
    assert "2026-01-02 03:04 UTC" in seen
    assert "sessions" in seen


def test_a_list_is_tab_separated_in_a_pipe_and_says_when_there_is_more(
    project: FakeProject,
) -> None:
    answer = project.run("user", "list", "--limit", "1", "--offset", "0")

    assert answer.out == "ada@example.com\tuser\tactive\t2026-01-02T03:04:05Z\tAda Lovelace\n"
    assert "1 of 3 users" in answer.err
    assert project.calls[-1]["args"] == ["user", "list", "--limit=1", "--offset=0", "--json"]


def test_an_empty_list_is_said_to_a_person_and_is_empty_for_a_program(
    project: FakeProject,
) -> None:
    project.answer("manage user sessions", {"sessions": []})

    assert project.run("user", "sessions", "ada@example.com").out == ""
    assert plain(project.terminal("user", "sessions", "ada@example.com").out).strip() == "none"


def test_what_strangers_chose_cannot_steer_the_terminal(project: FakeProject) -> None:
    seen = project.terminal("user", "sessions", "ada@example.com").out

    assert "\x1b]0;" not in seen
    assert r"device     curl/8.5\x1b]0;owned\x07" in plain(seen)


def test_a_generated_password_is_shown_and_never_given_in_argv(project: FakeProject) -> None:
    created = project.run("user", "create", "ada@example.com", "--name", "Ada", "--role", "admin")

    assert "password\tgenerated-1A" in created.out
    assert project.calls[-1]["args"] == [
        *("user", "create", "--role=admin", "--name=Ada", "--json", "--", "ada@example.com")
    ]


def test_what_starts_with_a_dash_is_still_a_name_or_an_address(project: FakeProject) -> None:
    """Anybody may register as `-x@example.com`; the operator must be able to lock them out."""
    assert project.run("user", "deactivate", "--", "-x@example.com").code == 0
    assert project.calls[-1]["args"][-2:] == ["--", "-x@example.com"]
    assert project.run("user", "create", "a@example.com", "--name", "--role").code == 0
    assert "--name=--role" in project.calls[-1]["args"]


@pytest.mark.parametrize("action", ["create", "set-password"])
def test_a_given_password_travels_by_standard_input_alone(
    project: FakeProject, action: str
) -> None:
    answer = project.run(
        "user", action, "ada@example.com", "--password-stdin", stdin=f"{PASSWORD}\r\n"
    )

    call = project.calls[-1]
    assert answer.code == 0
    assert call["stdin"] == f"{PASSWORD}\n"
    assert PASSWORD not in json.dumps(call["args"])


def test_no_password_on_standard_input_is_a_usage_error(project: FakeProject) -> None:
    assert project.run("user", "create", "ada@example.com", "--password-stdin").code == 2
    assert project.calls == []


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_password_that_is_not_text_is_a_usage_error(project: FakeProject, locale: str) -> None:
    """In the C locale Python reads undecodable bytes as surrogates, and would send others on."""
    process = subprocess.run(
        [*AUTHKIT, "user", "create", "ada@example.com", "--password-stdin"],
        cwd=project.root,
        env=environ({"LC_ALL": locale}),
        input=b"Good\xffPassw0rd\n",
        capture_output=True,
        check=False,
    )

    assert (process.returncode, process.stderr) == (2, b"error: the password is not UTF-8\n")
    assert project.calls == []


def test_a_password_is_typed_unseen_in_a_terminal(project: FakeProject) -> None:
    screen = project.terminal(
        *("user", "create", "ada@example.com", "--password-stdin"),
        dialogue=[("Password: ", PASSWORD)],
    )

    assert screen.code == 0
    assert PASSWORD not in screen.out
    assert project.calls[-1]["stdin"] == f"{PASSWORD}\n"


def test_an_invitation_is_passed_on_and_shows_no_password(project: FakeProject) -> None:
    project.answer("manage user create", ADA | {"invited": True})

    invited = project.run("user", "create", "ada@example.com", "--invite")

    assert (invited.code, "password" in invited.out) == (0, False)
    assert "mails a link" in invited.err
    assert "--invite" in project.calls[-1]["args"]
    both = project.run("user", "create", "ada@example.com", "--invite", "--password-stdin")
    assert (both.code, both.out) == (2, "")
    assert len(project.calls) == 1


def test_an_import_says_how_far_it_is(project: FakeProject) -> None:
    (project.root / ".copier-answers.yml").write_text(
        f"_commit: v{__version__}\nparts:\n- import\n"
    )
    outcome = {"imported": 2000, "thereAlready": 0, "dryRun": False}
    progress = "\r1,000 users\n2,000 users\n"  # with the \r of 0.7.0
    project.answer("manage user import", outcome, err=progress + '{"event": "x"}\n')

    imported = project.run("user", "import", "users.csv", "--json")

    assert json.loads(imported.out) == outcome
    assert imported.err == '1,000 users\n2,000 users\n{"event": "x"}\n'
    assert project.calls[-1]["args"][-1] == str(project.root / "users.csv")

    wrong = "error: users.csv, line 2: x; nothing was imported\nhint: correct the file\n"
    project.answer("manage user import", err="1,000 users\n" + wrong, code=1)
    refused = project.run("user", "import", "users.csv")
    assert (refused.code, refused.out, refused.err) == (1, "", "1,000 users\n" + wrong)


DESTRUCTIVE = {
    "deactivate": ["user", "deactivate", "ada@example.com"],
    "set-password": ["user", "set-password", "ada@example.com"],
    "revoke": ["user", "revoke", "ada@example.com"],
    "rotate": ["keys", "rotate"],
    "remove": ["keys", "remove", "fedcba9876543210"],
    "migrate": ["migrate", "--to", "base"],
}
QUESTIONS = ("alembic history", "manage backup", "manage keys list")


def changes(project: FakeProject) -> list[str]:
    """What the project was asked for, but for questions about its state."""
    calls = [" ".join([call["name"], *call["args"]]) for call in project.calls]
    return [" ".join(call.split()[:2]) for call in calls if not call.startswith(QUESTIONS)]


@pytest.mark.parametrize("command", DESTRUCTIVE.values(), ids=" ".join)
def test_a_destructive_command_asks_in_a_terminal(project: FakeProject, command: list[str]) -> None:
    stopped = project.terminal(*command, dialogue=[("[y/N]", "n")])
    assert (stopped.code, changes(project)) == (1, [])
    assert "nothing was changed" in plain(stopped.out)

    assert project.terminal(*command, dialogue=[("[y/N]", "y")]).code == 0
    assert len(changes(project)) == 1


@pytest.mark.parametrize("command", DESTRUCTIVE.values(), ids=" ".join)
def test_yes_and_a_pipe_are_not_asked(project: FakeProject, command: list[str]) -> None:
    assert "[y/N]" not in project.terminal(*command, "--yes").out
    assert project.run(*command).code == 0
    assert len(changes(project)) == 2


def test_ctrl_c_at_a_question_is_one_line(project: FakeProject) -> None:
    screen = project.terminal("keys", "rotate", dialogue=[("[y/N]", "\x03")])

    assert screen.code == 130
    assert "Traceback" not in screen.out
    assert "error: interrupted" in plain(screen.out)


def test_what_the_project_refuses_is_passed_on(project: FakeProject) -> None:
    project.answer(
        "manage user show",
        err="error: there is no user nobody@example.com\nhint: authkit user list\n",
        code=1,
    )
    refused = project.run("user", "show", "nobody@example.com")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "error: there is no user nobody@example.com\nhint: authkit user list\n"


def test_malformed_input_keeps_its_exit_code(project: FakeProject) -> None:
    project.answer("manage user create", err="error: 'x' is not an e-mail address\n", code=2)

    assert project.run("user", "create", "x").code == 2


def test_a_crash_in_the_project_is_named_without_its_traceback(project: FakeProject) -> None:
    crash = 'Traceback (most recent call last):\n  File "app/x.py", line 1\nImportError: no notes\n'
    project.answer("manage seed", err=crash, code=1)
    failed = project.run("seed")

    assert failed.code == 1
    assert "Traceback" not in failed.err
    assert "ImportError: no notes" in failed.err
    assert ".venv/bin/python -m app.manage seed" in failed.err


def test_what_the_database_said_is_quoted_not_the_link_below_it(project: FakeProject) -> None:
    said = (
        "Traceback (most recent call last):\n"
        "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) disk I/O error\n"
        "[SQL: SELECT 1]\n"
        "(Background on this error at: https://sqlalche.me/e/21/e3q8)\n"
    )
    project.answer("manage seed", err=said, code=1)

    assert "failed: sqlalchemy.exc.OperationalError: (sqlite3" in project.run("seed").err


def test_output_that_is_not_json_is_named(project: FakeProject) -> None:
    project.answer("manage seed", out="hello\n[]")
    failed = project.run("seed")

    assert failed.code == 1
    assert "not JSON" in failed.err


# --- migrate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "called", "applied", "reverted"),
    [
        ("head", ["upgrade", "0003"], ["0003"], []),
        ("0003", ["upgrade", "0003"], ["0003"], []),
        ("0002", None, [], []),
        ("0001", ["downgrade", "0001"], [], ["0002"]),
        ("base", ["downgrade", "base"], [], ["0002", "0001"]),
    ],
)
def test_migrate_goes_to_a_revision(
    project: FakeProject, to: str, called: list[str] | None, applied: list[str], reverted: list[str]
) -> None:
    report = project.run("migrate", "--to", to, "--json").json

    assert [revision["revision"] for revision in report["applied"]] == applied
    assert [revision["revision"] for revision in report["reverted"]] == reverted
    assert report["from"] == "0002"
    assert report["to"] == {"head": "0003", "base": None}.get(to, to)
    moves = [call["args"] for call in project.calls if call["args"][0] != "history"]
    assert moves == ([["backup", "--json"], called] if called else [])
    assert report["backup"] == ("/srv/app.db.backup-20261127T204600Z" if called else None)


def test_a_database_that_cannot_be_copied_is_not_migrated(project: FakeProject) -> None:
    project.answer("manage backup", err="error: app.db can't be copied: full\n", code=1)
    refused = project.run("migrate")

    assert (refused.code, changes(project)) == (1, [])
    assert "app.db can't be copied: full" in refused.err


def test_only_sqlite_is_copied(project: FakeProject) -> None:
    url = {"DATABASE_URL": "postgresql://127.0.0.1/app"}
    report = project.run("migrate", "--json", env=url).json

    assert report["backup"] is None
    assert "manage" not in [call["name"] for call in project.calls]


def test_a_project_that_knows_no_backup_is_migrated_with_a_warning(project: FakeProject) -> None:
    """It was made before 0.5.1."""
    unknown = "app.manage: error: argument COMMAND: invalid choice: 'backup'\n"
    project.answer("manage backup", err=unknown, code=2)
    migrated = project.run("migrate")

    assert (migrated.code, changes(project)) == (0, ["alembic upgrade"])
    assert "no copy of the database is kept" in migrated.err


@pytest.mark.parametrize("to", ["nope", "00"])
def test_an_unknown_or_ambiguous_revision_is_a_usage_error(project: FakeProject, to: str) -> None:
    refused = project.run("migrate", "--to", to)

    assert refused.code == 2
    assert "0001, 0002, 0003" in refused.err


def test_migrate_check_lists_what_is_pending_and_changes_nothing(project: FakeProject) -> None:
    report = project.run("migrate", "--check", "--json")

    assert report.code == 1
    assert report.json == {
        "current": "0002",
        "head": "0003",
        "pending": [{"revision": "0003", "message": "add notes, and more"}],
        "drift": False,
    }
    assert changes(project) == []


def test_migrate_check_sees_models_without_a_migration(project: FakeProject) -> None:
    project.answer("alembic history", out="<base> -> 0001 (head) (current), create tables\n")
    assert project.run("migrate", "--check").code == 0

    project.answer("alembic check", err="FAILED: New upgrade operations detected: []\n", code=255)
    drifted = project.run("migrate", "--check")
    assert drifted.code == 1
    assert "revision --autogenerate" in drifted.err


def test_two_heads_are_explained(project: FakeProject) -> None:
    two = "0001 -> 000b (head), b\n0001 -> 000a (head), a\n<base> -> 0001 (branchpoint), start\n"
    project.answer("alembic history", out=two)
    refused = project.run("migrate")

    assert refused.code == 1
    assert "merge heads" in refused.err


def test_a_migration_that_fails_is_explained_by_the_projects_own_check(
    project: FakeProject,
) -> None:
    project.answer("alembic upgrade", err="Traceback\nConnectionRefusedError: no\n", code=1)
    finding = {
        "id": "database",
        "severity": "error",
        "message": "the database does not answer",
        "fix": "start it",
    }
    project.answer("manage check", [finding])
    assert project.run("migrate").err.splitlines()[-2:] == [
        "error: the database does not answer",
        "hint: start it",
    ]

    project.answer("manage check", [])
    assert "Alembic failed: ConnectionRefusedError: no" in project.run("migrate").err

    refused = "sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError) NOT NULL\n[SQL: x]\n"
    link = "(Background on this error at: https://sqlalche.me/e/21/gkpj)\n"
    project.answer("alembic upgrade", err=refused + link, code=1)
    assert "(sqlite3.IntegrityError) NOT NULL\nhint: " in project.run("migrate").err


# --- serve and test: the process that is started ---------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_serve_starts_uvicorn_as_documented(project: FakeProject) -> None:
    port = free_port()
    started = project.run("serve", "--port", str(port), "--workers", "2")

    args = project.calls[-1]["args"]
    assert started.code == 0
    assert args[:5] == ["app.main:app", "--host", "127.0.0.1", "--port", str(port)]
    assert {"--no-proxy-headers", "--no-server-header"} < set(args)
    assert args[args.index("--workers") + 1] == "2"
    assert args[args.index("--log-config") + 1] == "uvicorn_log.json"
    # Longer than balancers keep an idle connection.
    assert args[args.index("--timeout-keep-alive") + 1] == "75"
    assert args[args.index("--http") + 1] == "app.foundation.http.protocol:HttpProtocol"
    assert project.calls[-1]["env"]["VIRTUAL_ENV"] == str(project.root / ".venv")
    assert "counts its own limits" in started.err


def test_serve_reloads_the_application_only(project: FakeProject) -> None:
    project.run("serve", "--port", "0", "--reload")

    args = project.calls[-1]["args"]
    assert args[args.index("--reload") :] == ["--reload", "--reload-dir", "app"]
    assert "--workers" not in args


def test_serve_refuses_what_cannot_work(project: FakeProject) -> None:
    both = project.run("serve", "--reload", "--workers", "2")
    assert (both.code, project.calls) == (2, [])


def test_serve_refuses_a_host_that_is_no_name(project: FakeProject) -> None:
    refused = project.run("serve", "--host", "a..b")

    assert refused.code == 2
    assert refused.err.startswith("error: 'a..b' is not an address of this machine\n")

    said = "error: the settings are wrong:\n  JWT_SECRET: is empty\nhint: see .env.example\n"
    (project.root / "app" / "config.py").write_text("def load_settings(): raise ValueError")
    project.answer("manage info", err=said, code=1)
    broken = project.run("serve", "--port", "0")
    assert (broken.code, broken.err) == (1, said)
    assert not [call for call in project.calls if call["name"] == "uvicorn"]


def test_a_port_in_use_is_a_sentence_and_a_hint(project: FakeProject) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        refused = project.run("serve", "--port", str(port))

    assert refused.code == 1
    assert f"error: port {port} on 127.0.0.1 is already in use" in refused.err
    assert f"authkit serve --port {port + 1}" in refused.err


def test_a_foreign_address_is_refused(project: FakeProject) -> None:
    assert project.run("serve", "--host", "192.0.2.1").code in {1, 2}
    assert project.run("serve", "--host", "no such host").code == 2


@pytest.mark.parametrize("code", [0, 1, 2, 5])
def test_the_exit_code_of_test_is_the_gate(project: FakeProject, code: int) -> None:
    project.answer("pytest", code=code)

    assert project.run("test").code == code


def test_arguments_after_two_dashes_go_to_pytest(project: FakeProject) -> None:
    project.run("test", "--", "-x", "--durations", "3", "--help")

    assert project.calls[-1]["args"] == ["-x", "--durations", "3", "--help"]


def test_the_suite_gets_the_servers_of_the_settings(project: FakeProject) -> None:
    servers = {"DATABASE_URL": "postgresql://db/app", "REDIS_URL": "redis://cache/0"}
    project.run("test")
    project.run("test", env=servers)
    project.run("test", env=servers | {"TEST_DATABASE_URL": "postgresql://other/test"})

    sqlite, given, chosen = (call["env"] for call in project.calls)
    assert not [name for name in sqlite if name.startswith("TEST_")]
    assert given["TEST_DATABASE_URL"] == servers["DATABASE_URL"]
    assert given["TEST_REDIS_URL"] == servers["REDIS_URL"]
    assert chosen["TEST_DATABASE_URL"] == "postgresql://other/test"


# --- info without an environment -------------------------------------------------------------


def test_info_works_without_an_environment_and_redacts(project: FakeProject) -> None:
    (project.root / ".venv" / "bin" / "python").unlink()
    env_file = project.root / ".env"
    env_file.write_text(
        "JWT_SECRET=canary-one\nSMTP_PASSWORD=canary-two\n"
        "DATABASE_URL=postgresql://ada:canary:three@four@db/app\n"
        "REDIS_URL=redis://:canary@cache/0\nACCESS_TOKEN_MINUTES=15\n"
        "STRIPE_KEY=canary-five\nREPLICA_URL=postgresql://db/app?sslmode=require&password=canary-six\n"
    )
    documented = re.sub(r"=.*", "=", env_file.read_text())
    (project.root / ".env.example").write_text(documented)
    env_file.write_text(env_file.read_text() + "UNHEARD_OF=canary-seven\n")
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    answer = project.run("info", "--json")

    assert answer.code == 0
    assert "canary" not in answer.out + answer.err
    assert answer.json["database"] == "postgresql"
    assert answer.json["limits"] == "redis"
    assert "missing" in answer.json["problem"]
    assert answer.json["settings"]["ACCESS_TOKEN_MINUTES"] == "15"
    assert answer.json["settings"]["DATABASE_URL"] == "postgresql://ada:********@db/app"
    replica = "postgresql://db/app?sslmode=require&password=********"
    assert answer.json["settings"]["REPLICA_URL"] == replica
    assert "is missing" in project.run("info").err


def test_without_an_environment_a_command_says_how_to_make_it(project: FakeProject) -> None:
    python = project.root / ".venv" / "bin" / "python"
    python.unlink()
    assert ".venv is missing" in project.run("seed").err

    python.symlink_to("/nonexistent/python")
    broken = project.run("seed")
    assert broken.code == 1
    assert ".venv is broken" in broken.err
    assert "python3 -m venv" in broken.err

    python.unlink()
    python.write_text("not a program")
    python.chmod(0o755)
    for command in ("seed", "serve", "test", "doctor"):
        unusable = project.run(command)
        assert unusable.code == 1
        assert ".venv can't be started: Exec format error" in unusable.out + unusable.err


def test_an_env_file_that_is_not_text_is_one_sentence(project: FakeProject) -> None:
    (project.root / ".env").write_bytes(b"APP_NAME=caf\xe9\n")
    for command in (["serve", "--workers", "2"], ["test"]):
        refused = project.run(*command)
        assert refused.code == 1
        assert re.fullmatch(r"error: \S+/\.env can't be read\nhint: .*UTF-8.*\n", refused.err)

    project.answer("manage info", err="error: .env can't be read\n", code=1)
    known = project.run("info", "--json")
    assert (known.code, known.json["settings"]) == (0, {})
    assert project.run("doctor").code == 0


def test_events_say_who_did_it_and_that_there_are_more(project: FakeProject) -> None:
    listed = project.run("user", "events", "ada@example.com", "--limit", "1")

    cells = listed.out.rstrip("\n").split("\t")
    assert cells[1:5] == ["auth.role_changed", "203.0.113.9", "operator root", "role admin"]
    assert ESCAPE not in listed.out
    assert "1 of 3 events; --offset 1 goes on" in listed.err
    assert project.calls[-1]["args"][:6] == ["user", "events", "--limit", "1", "--offset", "0"]
