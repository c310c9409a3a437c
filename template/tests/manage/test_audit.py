"""What operators do is known afterwards: in the system's log, and to the account's owner."""

import json
import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.accounts.tokens import token_hash
from app.manage import audit
from tests.manage.conftest import Manage

USER = pwd.getpwuid(os.getuid()).pw_name


class Syslog:
    """The system's log, as far as a datagram socket is one."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def lines(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        while True:
            try:
                datagram = self._socket.recv(65536).decode().rstrip("\0")
            except BlockingIOError:
                return lines
            head, _, line = datagram.partition("app.manage: ")
            assert head == "<38>"  # auth.info
            lines.append(json.loads(line))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def syslog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Syslog]:
    path = tmp_path / "log"
    opened = Syslog(path)
    monkeypatch.setattr(audit, "SYSLOG", path)
    monkeypatch.delenv("SUDO_USER", raising=False)
    yield opened
    opened.close()


def test_what_an_operator_does_is_in_the_systems_log(manage: Manage, syslog: Syslog) -> None:
    created = manage("user", "create", "ada@example.com")
    assert created.err == ""
    user_id = created.data["id"]
    made, command = syslog.lines()
    assert (made["event"], made["user_id"], made["actor"]) == (
        "auth.user_created",
        user_id,
        f"operator {USER}",
    )
    assert (command["event"], command["command"]) == ("operator.command", "user create")
    assert command["email_hash"] == token_hash("ada@example.com")
    assert "ada@example.com" not in json.dumps([made, command])

    for arguments in (
        ("user", "set-role", "ada@example.com", "admin"),
        ("user", "set-password", "ada@example.com"),
        ("user", "revoke", "ada@example.com"),
        ("token", "issue", "ada@example.com"),
        ("keys", "rotate"),
        ("purge",),
    ):
        assert manage(*arguments).exit_code == 0
        last = syslog.lines()[-1]
        assert last["command"] == " ".join(arguments[:2])
        assert last["actor"] == f"operator {USER}"


def test_what_changes_nothing_is_not(manage: Manage, syslog: Syslog) -> None:
    manage("user", "list")
    manage("keys", "list")
    manage("info")
    assert manage("user", "activate", "nobody@example.com").exit_code == 1

    assert syslog.lines() == []


def test_without_a_system_log_it_is_on_standard_error(
    manage: Manage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(audit, "SYSLOG", tmp_path / "nothing")

    staged = manage("keys", "stage")

    [line] = staged.err.splitlines()
    assert json.loads(line)["command"] == "keys stage"


def test_no_secret_is_logged(manage: Manage, syslog: Syslog) -> None:
    password = manage("user", "create", "ada@example.com").data["password"]
    token = manage("token", "issue", "ada@example.com").data["accessToken"]

    logged = json.dumps(syslog.lines())
    assert password not in logged
    assert token not in logged


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is believed about sudo")
def test_under_sudo_it_says_who_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    assert audit.operator() == "root (sudo ada)"


def test_a_name_in_the_environment_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")

    assert audit.operator() == USER


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 987_654)

    assert audit.operator() == "uid 987654"


def test_the_account_says_that_an_operator_did_it(manage: Manage) -> None:
    manage("user", "create", "ada@example.com")
    manage("user", "set-role", "ada@example.com", "admin")

    page = manage("user", "events", "ada@example.com", "--limit", "1").data

    [event] = page["events"]
    assert (event["event"], event["details"]) == ("auth.role_changed", {"role": "admin"})
    assert event["actor"] == f"operator {audit.operator()}"
    assert (page["total"], page["limit"], page["offset"]) == (2, 1, 0)
