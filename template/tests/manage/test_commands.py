"""Commands are offered because their module is there."""

from pathlib import Path

import pytest

from app import manage as package
from app.manage.__main__ import build_parser
from tests.helpers import add_module
from tests.manage.conftest import Manage


def test_a_module_that_adds_commands_needs_no_more(
    manage: Manage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "greetings.py"
    file.write_text("""
from app.manage.commands import add_command

def greet(args):
    return {"greeting": "hello"}

def add_commands(commands):
    add_command(commands, "greet", greet, "say hello", services=False)
""")
    add_module(monkeypatch, package, file)
    build_parser.cache_clear()
    try:
        assert manage("greet").data == {"greeting": "hello"}
    finally:
        build_parser.cache_clear()
