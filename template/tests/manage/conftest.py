"""Running operator commands: as `python -m app.manage` does, in this process."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.accounts.key_rings import key_id
from app.config import load_settings
from app.manage.__main__ import main
from tests.helpers import all_mailed, connect, running_app, services_of


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        assert self.exit_code == 0, self.err
        return json.loads(self.out)


Manage = Callable[..., Outcome]


@pytest.fixture
def project(values: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The directory of a project: the settings of the test, in its `.env`, and a day-old key."""
    since = datetime.now(UTC) - timedelta(days=1)
    dated = {**values, "jwt_key_dates": f"{key_id(values['jwt_secret'])}@{since.isoformat()}"}
    lines = [f"{name.upper()}={value}\n" for name, value in dated.items()]
    (tmp_path / ".env").write_text("".join(lines))
    (tmp_path / ".env").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def manage(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Manage:
    """`manage("user", "list")` asks for JSON; `manage(..., json=False)` for text."""

    def run(*arguments: str, stdin: str | io.TextIOBase = "", json: bool = True) -> Outcome:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin)
        capsys.readouterr()
        try:
            exit_code = main([*arguments, *(["--json"] if json else [])])
        except SystemExit as exit_:  # argparse
            exit_code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Outcome(exit_code, captured.out, captured.err)

    return run


@pytest.fixture
def api(project: Path) -> Iterator[Callable[..., httpx.Response]]:
    """Requests to the API of the same project, which runs between the commands."""

    async def ask(method: str, path: str, **options: Any) -> httpx.Response:
        response = await connect(app).request(method, path, **options)
        # The loop stands still until the next request: what goes on behind an answer ends here.
        # A command would wait for the lock of an event that is half written.
        await services_of(app).background.close()
        await all_mailed(services_of(app))
        return response

    def request(method: str, path: str, **options: Any) -> httpx.Response:
        return loop.run(ask(method, path, **options))

    with asyncio.Runner() as loop:
        stack = AsyncExitStack()
        app = loop.run(stack.enter_async_context(running_app(load_settings())))
        yield request
        loop.run(stack.aclose())
