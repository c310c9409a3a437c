"""The shape of the code: what may import what, and that what is declared is used."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.errors import ErrorCode
from app.security_events import SecurityEvent
from tests.helpers import ROOT

APP = ROOT / "app"

FEATURES = {f"app.{file.parent.name}" for file in APP.glob("*/__init__.py")} - {
    *("app.accounts", "app.api", "app.foundation", "app.manage")
}
"""The folders beside `accounts`: what may be said of accounts may be said of them."""

LAYERS: list[set[str]] = [
    {"app", "app.errors", "app.security_events", "app.foundation.modules"},
    {"app.foundation.checks"},
    {"app.config"},
    {"app.foundation", "app.accounts.common_passwords"},
    {"app.accounts.key_rings", "app.accounts.mails"},
    {"app.accounts.passwords", "app.accounts.tokens"},  # what the services are made of
    {"app.services"},
    {"app.accounts"},
    FEATURES,
    {"app.api"},
    {"app.application"},
    {"app.manage"},
    {"app.main"},
]
"""From the bottom to the top: a part imports itself and what lies below it, nothing beside it."""

PARTS = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

WEB = {"fastapi", "starlette", "uvicorn", "httpx"}


def imports_of(file: Path) -> Iterator[str]:
    """The modules that a file imports when it runs; what only the type checker reads is not."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in {file}"
            assert node.module is not None
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules_inside = [name for name in inner if name in MODULES]
            yield from modules_inside
            if len(modules_inside) < len(inner):
                yield node.module


def part_of(module: str) -> str:
    """The part that a module belongs to: `app.api.auth` is of `app.api`."""
    while module not in PARTS:
        assert "." in module, f"{module} is of no part"
        module = module.rpartition(".")[0]
    return module


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(file): file for file in sorted(APP.rglob("*.py"))}


def ours(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.partition(".")[0] == "app"}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_points_back(module: str) -> None:
    part = part_of(module)
    beside_or_above = {
        name
        for name in ours(imports_of(MODULES[module]))
        if part_of(name) != part and PARTS[part_of(name)] >= PARTS[part]
    }

    assert beside_or_above == set()


def test_no_imports_go_round_in_a_circle() -> None:
    graph = {name: ours(imports_of(file)) - {name} for name, file in MODULES.items()}

    TopologicalSorter(graph).prepare()  # raises for a circle, and names it


@pytest.mark.parametrize(
    "module", [name for name in MODULES if name.startswith(("app.accounts", *FEATURES))]
)
def test_the_domain_knows_no_http(module: str) -> None:
    imported = set(imports_of(MODULES[module]))

    assert not {name.partition(".")[0] for name in imported} & WEB
    assert {name for name in imported if name.startswith("app.foundation.http")} <= {
        "app.foundation.http.client_address"
    }


@cache
def source() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in MODULES.values())


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_is_used(code: ErrorCode) -> None:
    assert re.search(rf"\bErrorCode\.{code.name}\b", source())


@pytest.mark.parametrize("event", SecurityEvent)
def test_every_security_event_is_logged(event: SecurityEvent) -> None:
    assert re.search(rf"\bSecurityEvent\.{event.name}\b", source())


def test_functions_fit_on_a_screen() -> None:
    """Not counting their docstrings."""
    long = []
    for module, file in MODULES.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > 35:
                    long.append(f"{module}.{node.name}: {lines}")
    assert long == []


async def test_every_endpoint_says_how_it_can_fail(app: FastAPI) -> None:
    """Each under /api can be limited and lose its database, and says so in the OpenAPI document."""
    for route in iter_route_contexts(app.routes):
        if route.path and route.path.startswith("/api/"):
            path = app.openapi()["paths"][route.path]
            for method in route.methods or ():
                assert {"429", "503"} <= path[method.lower()]["responses"].keys()
                assert "422" not in path[method.lower()]["responses"]
