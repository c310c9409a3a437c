"""The operator commands on a real, generated project."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import AUTHKIT, authkit, environ, plain, terminal
from tests.projects import copy_of

UNREACHABLE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
UNREACHABLE_REDIS = {"REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def own(myapi: Path, tmp_path: Path) -> dict[str, str]:
    """The shared project with a migrated database of this test's own."""
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/own.db"}
    moved = authkit("migrate", "--json", cwd=myapi, env=env)
    assert moved.code == 0, moved.err
    return env


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(project: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`authkit serve` on a free port, answering."""
    port = free_port()
    command = [*AUTHKIT, "serve", "--project", str(project), "--port", str(port), *args]
    with subprocess.Popen(
        command, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            wait_for_health(port)
            yield server, port
        finally:
            server.kill()


def wait_for_health(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                assert json.load(answer)["status"] == "ok"
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer")


def test_a_fresh_project_has_nothing_to_mend(myapi: Path) -> None:
    found = authkit("doctor", "--json", cwd=myapi)

    assert (found.json, found.code) == ([], 0)


def test_doctor_production_names_what_production_refuses(myapi: Path) -> None:
    found = authkit("doctor", "--production", "--json", cwd=myapi)

    assert found.code == 1
    assert {"smtp_host", "environment"} <= {finding["id"] for finding in found.json}


def test_the_database_and_redis_may_be_down(myapi: Path) -> None:
    down = UNREACHABLE | UNREACHABLE_REDIS
    info = authkit("info", "--json", cwd=myapi, env=down)
    found = authkit("doctor", "--json", cwd=myapi, env=down)

    assert (info.code, info.json["database"], info.json["limits"]) == (0, "postgresql", "redis")
    assert {"database", "redis"} <= {finding["id"] for finding in found.json}


@pytest.mark.parametrize("command", [["migrate"], ["seed"], ["user", "list"]], ids=" ".join)
def test_a_database_that_is_down_is_one_sentence(myapi: Path, command: list[str]) -> None:
    refused = authkit(*command, cwd=myapi, env=UNREACHABLE)

    assert refused.code == 1
    assert "does not answer" in refused.err
    assert "Traceback" not in refused.err


def test_info_shows_no_secret(myapi: Path) -> None:
    secret = next(
        line.partition("=")[2]
        for line in (myapi / ".env").read_text().splitlines()
        if line.startswith("JWT_SECRET=")
    )
    for shown in (authkit("info", cwd=myapi), authkit("info", "--json", cwd=myapi)):
        assert shown.code == 0
        assert secret not in shown.out + shown.err


def test_the_life_of_a_user(myapi: Path, own: dict[str, str]) -> None:
    def user(*args: str, stdin: str = "") -> object:
        answer = authkit("user", *args, "--json", cwd=myapi, env=own, stdin=stdin)
        assert answer.code == 0, answer.err
        return answer.json

    made = user("create", "Ada@Example.com", "--name", "Ada")
    assert isinstance(made, dict)
    assert (made["email"], made["role"], made["isActive"]) == ("ada@example.com", "user", True)
    assert len(made["password"]) >= 12

    assert authkit("token", "issue", "ada@example.com", cwd=myapi, env=own).code == 0
    sessions = user("sessions", "ada@example.com")
    assert isinstance(sessions, dict)
    (session,) = sessions["sessions"]
    assert user("revoke", "ada@example.com", "--session", session["id"]) == {"revoked": 1}

    for change, expected in {
        ("set-role", "ada@example.com", "admin"): ("admin", True),
        ("deactivate", "ada@example.com"): ("admin", False),
        ("activate", "ada@example.com"): ("admin", True),
    }.items():
        changed = user(*change)
        assert isinstance(changed, dict)
        assert (changed["role"], changed["isActive"]) == expected

    given = user("set-password", "ada@example.com", "--password-stdin", stdin="Given-passw0rd-x\n")
    assert isinstance(given, dict)
    assert "password" not in given


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["user", "show", "nobody@example.com"], 1),
        (["user", "create", "not an address"], 2),
        (["user", "set-role", "nobody@example.com", "king"], 2),
        (["user", "revoke", "nobody@example.com", "--session", "x"], 2),
        (["keys", "remove", "0000000000000000"], 1),
    ],
)
def test_a_mistake_is_one_sentence(
    myapi: Path, own: dict[str, str], command: list[str], code: int
) -> None:
    refused = authkit(*command, cwd=myapi, env=own)

    assert (refused.code, refused.out) == (code, "")
    assert refused.err.startswith("error: ")
    assert len(refused.err.splitlines()) <= 2


def test_seeding_twice_shows_each_password_once(myapi: Path, own: dict[str, str]) -> None:
    first = authkit("seed", "--json", cwd=myapi, env=own).json
    again = authkit("seed", "--json", cwd=myapi, env=own).json

    assert {user["role"] for user in first} == {"user", "admin"}
    assert all(user["password"] for user in first)
    assert [set(user) for user in again] == [{"email", "role"}] * len(first)


def test_a_schema_goes_down_and_up_again(myapi: Path, own: dict[str, str]) -> None:
    def migrate(*args: str) -> int:
        return authkit("migrate", *args, cwd=myapi, env=own).code

    assert migrate("--check") == 0
    assert migrate("--to", "base") == 0
    assert migrate("--check") == 1
    assert "has no tables yet" in authkit("user", "list", cwd=myapi, env=own).err
    assert migrate() == 0
    assert migrate("--check") == 0


def test_migrating_in_a_terminal_shows_the_steps(myapi: Path, tmp_path: Path) -> None:
    seen = terminal("migrate", cwd=myapi, env={"DATABASE_URL": f"sqlite:///{tmp_path}/new.db"})

    assert seen.code == 0
    assert "✓ Migrate to" in plain(seen.out)
    assert "applied" in plain(seen.out)


def test_keys_rotate_and_retire(pristine: Path, tmp_path: Path) -> None:
    project = copy_of(pristine, tmp_path / "keys")

    (only,) = authkit("keys", "list", "--json", cwd=project).json
    new, old = authkit("keys", "rotate", "--json", cwd=project).json
    assert (old["kid"], old["use"], new["use"]) == (only["kid"], "verifying", "signing")
    assert (project / ".env").stat().st_mode & 0o777 == 0o600
    assert authkit("keys", "remove", old["kid"], "--json", cwd=project).json == [new]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_server_answers_and_stops_when_told(myapi: Path, stop: signal.Signals) -> None:
    with serving(myapi) as (server, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            assert "server" not in {name.lower() for name in answer.headers}
        os.kill(server.pid, stop)
        output, _ = server.communicate(timeout=60)

    assert server.returncode in {0, -stop, 128 + stop}
    assert "Traceback" not in output


def test_several_workers_answer(myapi: Path) -> None:
    with serving(myapi, "--workers", "2") as (server, _):
        os.kill(server.pid, signal.SIGTERM)
        output, _ = server.communicate(timeout=60)

    assert "counts its own limits" in output


@pytest.mark.parametrize("workers", ["1", "2"])
def test_wrong_settings_do_not_start(myapi: Path, workers: str) -> None:
    wrong = {"JWT_SECRET": "", "BCRYPT_COST": "2"}
    refused = authkit("serve", "--port", "0", "--workers", workers, cwd=myapi, env=wrong)

    assert refused.code == 1
    assert "BCRYPT_COST" in refused.err
    assert refused.err.count("JWT_SECRET") == 1


def test_the_gate_is_the_tests_and_their_coverage(pristine: Path, tmp_path: Path) -> None:
    project = copy_of(pristine, tmp_path / "gate")
    ours = project / "tests" / "test_ours.py"
    ours.write_text("def test_red():\n    assert 1 > 2\n\n\ndef test_green():\n    assert 2 > 1\n")
    pyproject = project / "pyproject.toml"
    all_of_it = pyproject.read_text().replace('testpaths = ["tests"]', f'testpaths = ["{ours}"]')
    pyproject.write_text(all_of_it)

    def gate(*args: str) -> int:
        return authkit("test", *args, cwd=project).code

    assert gate("--", "-k", "green") == 0  # a part, of which coverage says nothing
    assert gate("--", "--no-cov") == 1
    ours.write_text("def test_green():\n    assert 2 > 1\n")
    assert gate() == 1  # green, and far less than 90 % of the project is covered
    pyproject.write_text(all_of_it.replace("fail_under = 90", "fail_under = 0"))
    assert gate() == 0
