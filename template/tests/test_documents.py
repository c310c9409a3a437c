"""The documents tell the truth: settings, endpoints, error codes, commands and proofs."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from dotenv import dotenv_values
from fastapi import FastAPI
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.config import Settings, load_settings
from app.errors import ErrorCode
from app.foundation.checks.part_settings import kinds_of_parts
from app.foundation.checks.production import EXAMPLE_SECRET
from app.manage.__main__ import build_parser
from app.security_events import SecurityEvent
from tests.helpers import ROOT
from tests.live import START_OPTIONS

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


API = page("docs/api.md")
SETTINGS = page("docs/settings.md")
OPERATE = page("docs/operate.md")
SECURITY = page("SECURITY.md")
ENV_EXAMPLE = ROOT / ".env.example"

BODY_ERRORS = {"413", "415"}
"""The page says once that endpoints with a body answer these; the others, of all endpoints."""


def table(document: str, first_column: str) -> list[list[str]]:
    """The cells of all tables whose first column has this heading."""
    tables = document.split(f"\n| {first_column} |")[1:]
    rows = [row for text in tables for row in text.partition("\n\n")[0].splitlines()[2:]]
    return [[cell.strip() for cell in row[1:-1].split(" |")] for row in rows]


def in_backticks(cell: str) -> str:
    return cell.strip("` ")


def default_of(field: FieldInfo) -> str:
    """A setting's default as `.env` spells it; the example secret for the one without default."""
    if field.is_required():
        return EXAMPLE_SECRET
    match field.default:
        case None:
            return ""
        case bool() as switch:
            return str(switch).lower()
        case list() | dict() as items:
            return ",".join(map(str, items))
        case SecretStr() as secret:
            return secret.get_secret_value()
        case value:
            return str(value)


DEFAULTS = {name.upper(): default_of(field) for name, field in Settings.model_fields.items()}


DEFAULTS_OF_PARTS = {
    name.upper(): default_of(field)
    for kind in kinds_of_parts()
    for name, field in kind.model_fields.items()
}


def test_the_page_of_a_part_has_its_settings() -> None:
    pages = "\n".join(
        path.read_text(encoding="utf-8") for path in PAGES if path.name != "settings.md"
    )
    documented = {in_backticks(row[0]): in_backticks(row[1]) for row in table(pages, "setting")}
    assert documented == DEFAULTS_OF_PARTS
    assert load_settings(_env_file=None, jwt_secret="x" * 40), "none has to be set"


def test_env_example_has_every_setting_with_its_default() -> None:
    assert dotenv_values(ENV_EXAMPLE) == DEFAULTS


def test_env_example_explains_every_setting() -> None:
    """A comment stands above each, or above the group of lines that it belongs to."""
    groups = ENV_EXAMPLE.read_text(encoding="utf-8").split("\n\n")
    settings = [group for group in groups if re.search(r"^[A-Z_]+=", group, re.MULTILINE)]
    unexplained = [group for group in settings if not group.startswith("#")]
    assert [group for group in unexplained if not group.startswith("EMAIL_FROM=")] == []


def test_the_settings_page_has_every_setting_with_its_default() -> None:
    documented = {in_backticks(row[0]): in_backticks(row[1]) for row in table(SETTINGS, "setting")}
    assert documented == DEFAULTS | {"JWT_SECRET": "required"}


async def test_the_pages_have_every_endpoint_with_its_answers(app: FastAPI) -> None:
    """docs/api.md those of the base, a page of its own those of each part."""
    documented = {}
    pages = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    for endpoint, _, _, success, refusals in table(pages, "endpoint"):
        documented[in_backticks(endpoint)] = {success[:3], *re.findall(r"\d{3}", refusals)}
    assert documented == dict(endpoints(app))


def endpoints(app: FastAPI) -> Iterator[tuple[str, set[str]]]:
    """What the OpenAPI document knows: `METHOD /path` and the statuses of the answers."""
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            answers = set(operation["responses"]) - {"431", "500", "503"}
            if "requestBody" in operation:
                assert answers >= BODY_ERRORS
                answers -= BODY_ERRORS
            yield f"{method.upper()} {path}", answers


def test_the_api_page_explains_every_error_code() -> None:
    assert [in_backticks(row[0]) for row in table(API, "code")] == [*ErrorCode]


def test_the_events_page_has_every_event() -> None:
    """And says rightly which are kept for their account: those that `record` or `note` writes."""
    rows = {in_backticks(row[0]): row[1] for row in table(page("docs/events.md"), "event")}
    assert set(rows) == set(SecurityEvent)
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py"))
    written = re.findall(r"\b(?:record|note)\(\s*\w+,\s*SecurityEvent\.(\w+)", code)
    kept = {SecurityEvent[name] for name in written}
    # Those of a part that was not chosen stand on the page, and nothing writes them.
    known = {SecurityEvent[name] for name in re.findall(r"\bSecurityEvent\.([A-Z_]+)", code)}
    assert {name for name, is_kept in rows.items() if is_kept == "yes"} & known == kept


def test_operate_names_only_commands_that_exist() -> None:
    """Each `app.manage …`, and those that follow in its cell: "`user list`, `user show EMAIL`"."""
    cells = [row[1] for row in table(OPERATE, "task") if "app.manage" in row[1]]
    assert len(cells) >= 10
    for cell in cells:
        for command in re.findall(r"`([^`]+)`", cell):
            arguments = command.removeprefix("app.manage ").replace("EMAIL", "ada@example.com")
            build_parser().parse_args(shlex.split(arguments))


def test_deploy_starts_the_server_as_the_tests_do() -> None:
    """Each option matters: for the client's address, the log, and a stop that loses nothing."""
    options = " ".join(START_OPTIONS).replace(f"{ROOT}/", "")
    unwrapped = re.sub(r" \\\n\s+", " ", page("docs/deploy.md"))
    assert f"uvicorn app.main:app {options} --workers" in unwrapped


def test_ci_runs_the_commands_of_the_documents() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    commands = re.findall(r"- run: (.+)", workflow)
    documented = page("README.md") + page("docs/test.md") + page("docs/deploy.md")
    assert commands
    assert [command for command in commands if command not in documented] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    """To a file, and with a `#` to a heading of it."""
    for target, anchor in re.findall(r"\]\(([^)#:]*)#?([^)]*)\)", document.read_text("utf-8")):
        if "://" in target + anchor:
            continue
        file = document.parent / target if target else document
        assert file.exists(), target
        assert not anchor or anchor in anchors_of(file), f"{target}#{anchor}"


def anchors_of(document: Path) -> set[str]:
    """The headings as links name them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


STEPS = table(page("docs/one-request.md"), "step")


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row[0])
def test_each_step_of_a_request_stands_on_its_line(row: list[str]) -> None:
    _, file, line = row
    assert in_backticks(line) in page(in_backticks(file))


def references(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


DEFENCES = table(SECURITY, "#")

OF_PARTS = [
    row
    for path in PAGES
    if path.name != "SECURITY.md"
    for row in table(path.read_text("utf-8"), "#")
]
"""A part has a table like that on its own page."""


def test_security_has_a_place_and_a_proof_for_every_defence() -> None:
    assert len(DEFENCES) >= 35
    for number, _, _, places, proofs in DEFENCES:
        assert references(places), number
        assert references(proofs), number


@pytest.mark.parametrize("row", [*DEFENCES, *OF_PARTS], ids=lambda row: " ".join(row[:2])[:40])
def test_security_names_code_and_tests_that_exist(row: list[str]) -> None:
    for reference in references(row[3]) + references(row[4]):
        name, _, symbol = reference.partition("::")
        path = ROOT / name
        assert path.is_file(), reference
        if symbol:
            assert symbol in names_in(path), reference


@cache
def names_in(path: Path) -> set[str]:
    """Functions, classes, methods as `Class.method`, and constants of a module."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names |= declared(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for child in node.body for name in declared(child)}
    return names


def declared(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return set()
