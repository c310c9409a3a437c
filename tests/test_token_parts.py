"""The pure parts of `authkit token`: lengths of time, and agreement with the generated API."""

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest
from tests.token_cases import AT, CASES, EARLIER, SECRET, Case, judge, make_project

from authkit.tokens.times import duration, relative

TEMPLATE = Path(__file__).parent.parent / "template"
TOKENS = TEMPLATE / "app" / "accounts" / "tokens.py"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (89, "1 min"),
        (719, "12 min"),
        (3_599, "1 h"),
        (5_400, "1 h 30 min"),
        (36_000 + 1_800, "10 h"),
        (86_399, "1 d"),
        (86_400 + 7_200, "1 d 2 h"),
        (400 * 86_400, "400 d"),
        (4_000 * 86_400, "4,000 d"),
    ],
)
def test_a_length_of_time_is_rounded_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_moment_is_before_after_or_now() -> None:
    assert relative(AT - 180, AT) == "3 min ago"
    assert relative(AT + 7_200, AT) == "in 2 h"
    assert relative(AT + 0.4, AT) == "now"


@pytest.fixture(scope="module")
def api() -> Iterator[ModuleType]:
    """The generated API's own module for tokens, at the time of the cases."""
    clock = mock.Mock(wraps=datetime)
    clock.now.return_value = datetime.fromtimestamp(AT, UTC)
    spec = importlib.util.spec_from_file_location("template_tokens", TOKENS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with (
        mock.patch.dict("sys.modules", {"template_tokens": module}),
        mock.patch.object(sys, "path", [str(TEMPLATE), *sys.path]),
    ):
        spec.loader.exec_module(module)
        with (
            mock.patch("jwt.api_jwt.datetime", clock),
            mock.patch.object(module, "datetime", clock),
        ):
            yield module


def api_accepts(api: ModuleType, token: str) -> bool:
    make = sys.modules[api.KeyRing.__module__].secret_key
    ring = api.KeyRing(make(SECRET), make(EARLIER))
    signer = api.TokenSigner(access=ring, refresh=ring, issuer="myapi", audience="myapi")
    for kind in api.TokenType:
        try:
            signer.read(token, kind)
        except api.InvalidToken:
            continue
        return True
    return False


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.inside and not case.args], ids=lambda case: case.title
)
def test_the_verdict_is_what_the_generated_api_thinks(
    case: Case, api: ModuleType, tmp_path: Path
) -> None:
    """What decode calls VERIFIED is accepted; what it calls anything else is not."""
    project = make_project(tmp_path / "myapi")

    verdict = judge(case, project, tmp_path, "--leeway", "5", "--json").report["verdict"]

    assert api_accepts(api, case.text) == (verdict == "VERIFIED")
