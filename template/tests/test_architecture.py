"""The shape of the code: what may import what, and that what is declared is used."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.errors import ErrorCode
from app.log import SecurityEvent
from tests.helpers import ROOT

APP = ROOT / "app"

FEATURES = {f"app.{models.parent.name}" for models in APP.glob("*/models.py")} - {"app.accounts"}
"""The folders beside `accounts`: what may be said of accounts may be said of them."""

DOMAIN_MAY_IMPORT = {
    "app",
    "app.client_address",
    "app.config",
    "app.database",
    "app.email",
    "app.errors",
    "app.log",
    "app.rate_limit",
}

LAYERS = {
    "app": set[str](),
    "app.errors": {"app"},
    "app.config": {"app"},
    "app.log": {"app"},
    "app.client_address": {"app"},
    "app.database": {"app", "app.errors", "app.config"},
    "app.email": {"app", "app.log"},
    "app.rate_limit": {"app", "app.config", "app.errors", "app.log"},
    "app.middleware": {"app", "app.errors", "app.log", "app.client_address"},
    "app.accounts": DOMAIN_MAY_IMPORT,
    **{feature: DOMAIN_MAY_IMPORT | {"app.accounts"} for feature in FEATURES},
    "app.api": {
        "app",
        "app.accounts",
        "app.database",
        "app.errors",
        "app.log",
        "app.middleware",
        "app.rate_limit",
        *FEATURES,
    },
    "app.server_log": {"app", "app.config", "app.log"},
}
"""What each part may import of ours. api, accounts, database, config: nothing points back."""

ASSEMBLY = ("app.application", "app.main", "app.manage")
"""These put everything together, and nobody imports them."""

WEB = {"fastapi", "starlette", "uvicorn", "httpx"}


def imports_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in {file}"
            assert node.module is not None
            yield node.module
            if node.module == "app":  # `from app import email` imports app.email
                yield from (f"app.{alias.name}" for alias in node.names)


def part_of(module: str) -> str:
    """The part of the application that a module belongs to: `app.api.auth` is of `app.api`."""
    return ".".join(module.split(".")[:2])


def modules() -> list[Path]:
    return sorted(APP.rglob("*.py"))


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_nothing_points_back(file: Path) -> None:
    part = part_of(name_of(file))
    allowed = {*LAYERS, *ASSEMBLY} if part in ASSEMBLY else {part, *LAYERS[part]}

    imported = {part_of(name) for name in imports_of(file) if name.split(".")[0] == "app"}
    imported.discard("app.__version__")

    assert imported <= allowed


def test_every_module_is_of_a_part() -> None:
    assert {part_of(name_of(file)) for file in modules()} == {*LAYERS, *ASSEMBLY}


@pytest.mark.parametrize(
    "file",
    [file for file in modules() if part_of(name_of(file)) in {"app.accounts", *FEATURES}],
    ids=name_of,
)
def test_the_domain_knows_no_http(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(file)} & WEB


@cache
def source() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in modules())


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_is_used(code: ErrorCode) -> None:
    assert re.search(rf"\bErrorCode\.{code.name}\b", source())


@pytest.mark.parametrize("event", SecurityEvent)
def test_every_security_event_is_logged(event: SecurityEvent) -> None:
    assert re.search(rf"\bSecurityEvent\.{event.name}\b", source())


def test_functions_fit_on_a_screen() -> None:
    """Not counting their docstrings."""
    long = []
    for file in modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > 35:
                    long.append(f"{name_of(file)}.{node.name}: {lines}")
    assert long == []


async def test_every_endpoint_says_how_it_can_fail(app: FastAPI) -> None:
    """Each under /api can be limited and lose its database, and says so in the OpenAPI document."""
    for route in iter_route_contexts(app.routes):
        if route.path and route.path.startswith("/api/"):
            path = app.openapi()["paths"][route.path]
            for method in route.methods or ():
                assert {"429", "503"} <= path[method.lower()]["responses"].keys()
                assert "422" not in path[method.lower()]["responses"]
