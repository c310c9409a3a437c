"""Our documents tell the truth: commands exist, links lead somewhere, walk-throughs work."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from tests.conftest import authkit, environ
from tests.markdown import Block, blocks, rows, section

from authkit.cli import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
WALK_SECTIONS = {"README.md": "## Walk through it", "template/README.md": "## Try it"}


def test_readme_lists_every_command() -> None:
    documented = {
        row[0].strip("`").split()[1] for row in rows(section(README, "## Commands"), "command")
    }

    assert documented == {name for names in COMMANDS.values() for name in names}


def test_readme_lists_every_subcommand() -> None:
    for command, what in rows(section(README, "## Commands"), "command"):
        if command.endswith("…`"):
            for name in what.split(" the ")[0].replace(" and ", ", ").split(", "):
                group = command.strip("`…").split()[1]
                assert authkit(group, name, "--help").code == 0, f"{group} {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)

    assert [target for target in targets if not (document.parent / target).exists()] == []


# ---- The walk-throughs ------------------------------------------------------------------------


@dataclass
class Api:
    """A generated project that is being served, and what it has printed."""

    port: int
    output: Path

    def reset_token(self) -> str:
        """The token of the newest reset mail, as a person reads it on the server's terminal."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            tokens: list[str] = re.findall(r"#token=([\w-]+)", self.output.read_text())
            if tokens:
                return tokens[-1]
            time.sleep(0.05)
        raise AssertionError(f"no mail was printed:\n{self.output.read_text()}")


@pytest.fixture
def api(myapi: Path, tmp_path: Path) -> Iterator[Api]:
    """The project as `authkit serve` serves it, with a database of its own."""
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/walk.db"}
    assert authkit("migrate", cwd=myapi, env=env).code == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = Api(port, tmp_path / "output")
    command = [sys.executable, "-m", "authkit", "serve", "--port", str(port)]
    with served.output.open("w") as output:
        server = subprocess.Popen(
            command, cwd=myapi, env=environ(env), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/health", server)
            yield served
        finally:
            server.terminate()
            server.wait(20)


def wait_until_healthy(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - an address of this machine
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


class Shell:
    """A shell that is typed into, as the reader of a walk-through does."""

    END = "--- end of the answer ---"

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["bash", "-eu"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ()
        )

    def type(self, text: str) -> str:
        """Type a block; returns what was printed."""
        stdin, stdout = self._pipes()
        stdin.write(f"{text}\necho; echo '{self.END}'\n")
        stdin.flush()
        answer = ""
        for line in stdout:
            if line.strip() == self.END:
                return answer.strip()
            answer += line
        raise AssertionError(f"the shell gave up at:\n{text}")

    def close(self) -> None:
        for pipe in self._pipes():
            pipe.close()
        self.process.wait(10)

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout


@pytest.mark.parametrize("name", WALK_SECTIONS)
def test_a_walk_through_answers_what_it_says(name: str, api: Api) -> None:
    document = (ROOT / name).read_text(encoding="utf-8")
    walk = list(blocks(section(document, WALK_SECTIONS[name])))
    assert len(walk) >= 10

    shell = Shell()
    try:
        for command, answer in zip(walk[::2], walk[1::2], strict=True):
            assert (command.language, answer.language) == ("sh", "json")
            assert shape(shell.type(typed(command, api))) == shape(answer.text)
    finally:
        shell.close()


def typed(command: Block, api: Api) -> str:
    """The command as typed here: on our port, and with the token pasted where one is asked for."""
    text = command.text.replace("127.0.0.1:8000", f"127.0.0.1:{api.port}")
    if "read -r token" in text:
        line, _, rest = text.partition("\n")
        return f"{line}\n{api.reset_token()}\n{rest}"
    return text


VARYING = {
    "id": re.compile(r"[0-9a-f]{8}-.*"),
    "token": re.compile(r"eyJhbGciOi.*"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"),
    "agent": re.compile(r"curl/.*"),
}


def shape(text: str) -> Any:
    """An answer with what differs every time replaced by its kind."""
    return json.loads(text, object_hook=lambda pairs: {k: kind(v) for k, v in pairs.items()})


def kind(value: Any) -> Any:
    if isinstance(value, str):
        return next((name for name, form in VARYING.items() if form.fullmatch(value)), value)
    return value
