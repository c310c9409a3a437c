"""The log: one event a line, whatever the values hold, and no secret in it."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

import app
from app.foundation.log import (
    REDACTED,
    LineLogger,
    LogFormat,
    configure_logging,
    escape_control_characters,
    redact_secrets,
)
from app.foundation.log.escaping import LONGEST_VALUE
from app.security_events import SecurityEvent

FORGERY = 'x\r\n2026-01-01T00:00:00Z [info] auth.login_succeeded\x1b[2J\x1b]0;title\x07\u2028"'

LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic")


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    loggers = [logging.root, *map(logging.getLogger, LIBRARIES)]
    before = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def read_json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_production_logs_one_json_object_a_line_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger().info("auth.login_failed", text=FORGERY, other={1, 2}, token="x")

    [line] = read_json(capsys)
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 10
    assert line.pop("other") == "{1, 2}"
    assert line == {
        "event": "auth.login_failed",
        "level": "info",
        "request_id": "abc",
        "text": FORGERY,
        "token": REDACTED,
    }


def test_a_traceback_is_one_line_of_json_and_shows_no_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "json")
    log_a_crash()

    [line] = read_json(capsys)
    assert line["exception"].startswith("Traceback")
    assert "ValueError: x\r\n2026" in line["exception"]
    assert "canary" not in line["exception"]


def log_a_crash() -> None:
    password = str(("canary",))
    try:
        raise ValueError(FORGERY)
    except ValueError:
        structlog.get_logger().exception("crashed", length=len(password))


def test_no_value_breaks_out_of_its_console_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "console")
    structlog.get_logger().info(FORGERY, text=FORGERY, nested=[FORGERY])
    logging.getLogger("library").warning("%s", FORGERY)

    first, second = capsys.readouterr().out.splitlines()
    assert first.isprintable()
    assert second.isprintable()


def test_no_line_of_a_console_traceback_looks_like_an_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "console")
    log_a_crash()

    event, *traceback = capsys.readouterr().out.splitlines()
    assert "crashed" in event
    assert any("ValueError: x" in line for line in traceback)
    assert all(line.startswith("    ") and line.isprintable() for line in traceback)


def test_a_long_value_is_cut_before_it_is_escaped() -> None:
    escaped = escape_control_characters("a" * LONGEST_VALUE + "\n" * 60_000)

    assert escaped == "a" * LONGEST_VALUE + "[cut]"


@given(st.text(max_size=LONGEST_VALUE))
def test_escaped_text_is_printable_and_tells_what_it_was(text: str) -> None:
    escaped = escape_control_characters(text)

    assert escaped.isprintable()
    assert (escaped == text) == text.isprintable()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_level_decides_what_is_logged(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    configure_logging("warning", log_format)
    structlog.get_logger().info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")
    structlog.get_logger().warning("loud")

    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_logger_in_use_follows_a_new_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "console")
    logger = structlog.get_logger()
    logger.info("before")
    capsys.readouterr()

    configure_logging("info", "json")
    logger.info("after")

    assert [line["event"] for line in read_json(capsys)] == ["after"]


def test_libraries_log_through_the_same_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", "json")
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        logging.getLogger("uvicorn.error").info("Started %s", "it")
        logging.getLogger("aiosqlite").debug("INSERT with parameters")
        try:
            raise KeyError("x")
        except KeyError:
            logging.getLogger("sqlalchemy.pool").exception("broken")

    started, broken = read_json(capsys)
    assert (started["logger"], started["event"]) == ("uvicorn.error", "Started it")
    assert started["request_id"] == "abc"
    assert broken["level"] == "error"
    assert "KeyError: 'x'" in broken["exception"]


def test_uvicorn_is_quiet_about_requests_and_otherwise_logs_like_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    uvicorn.Config("app.main:app")  # configures logging its own way, before it loads the app
    configure_logging("info", "json")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.access").info("GET / 200")

    captured = capsys.readouterr()
    assert captured.err == ""
    assert [json.loads(line)["event"] for line in captured.out.splitlines()] == [
        "Started server process"
    ]
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_logs_may_leave_standard_output_to_data(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json", stream="stderr")
    structlog.get_logger().info("here")
    logging.getLogger("library").warning("and here")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 2


@pytest.mark.parametrize(
    "key",
    [
        *("password", "newPassword", "current_password", "smtp_password", "token"),
        *("refreshToken", "access_token", "client_secret"),
        *("Authorization", "cookie", "Set-Cookie", "apiKey"),
    ],
)
def test_what_is_called_a_secret_is_blanked(key: str) -> None:
    event = {key: "canary", "body": {key: "canary", "email": "a@b.example"}}

    assert redact_secrets(None, "info", event) == {
        key: REDACTED,
        "body": {key: REDACTED, "email": "a@b.example"},
    }


def test_every_security_event_is_logged_somewhere() -> None:
    sources = "".join(path.read_text() for path in Path(app.__file__).parent.rglob("*.py"))

    assert [event for event in SecurityEvent if f"SecurityEvent.{event.name}" not in sources] == []


def test_counts_of_secrets_are_not_secret() -> None:
    event = {"event": "purged", "refresh_tokens": 3, "password_resets": 0, "token": None}

    assert redact_secrets(None, "info", dict(event)) == event


def test_a_log_that_cannot_be_written_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def write(self, _: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Broken())

    LineLogger("stdout").info("lost")


def test_a_line_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []

    class Stream:
        write = staticmethod(writes.append)

        def flush(self) -> None:
            writes.append("<flushed>")

    monkeypatch.setattr(sys, "stderr", Stream())
    LineLogger("stderr").info("whole")

    assert writes == ["whole\n", "<flushed>"]
