"""The application with a mailer that fails as it is told."""

from collections.abc import Awaitable, Callable

import pytest
from fastapi import FastAPI

from tests.foundation.mail.flaky import FlakyMailer
from tests.helpers import services_of

Start = Callable[..., Awaitable[FastAPI]]


@pytest.fixture
def mailer(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> FlakyMailer:
    flaky = FlakyMailer()
    monkeypatch.setattr(services_of(app).outbox, "_mailer", flaky)
    return flaky


@pytest.fixture
async def limited(start: Start, monkeypatch: pytest.MonkeyPatch) -> tuple[FastAPI, FlakyMailer]:
    """The application with the limits that it ships with for mail."""
    app = await start(rate_limit_mailbox="5/hour", rate_limit_email_change="3/hour")
    mailer = FlakyMailer()
    monkeypatch.setattr(services_of(app).outbox, "_mailer", mailer)
    return app, mailer
