"""What may be a project's name."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from authkit.new.naming import DEPENDENCY_MODULES, project_name
from authkit.terminal.errors import USAGE, UsageError

TEMPLATE = Path(__file__).parent.parent / "template"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("myapi", "myapi"),
        ("some/where/My API", "my-api"),
        ("my_api", "my-api"),
        ("My.Api--2", "my-api-2"),
        (" shop ", "shop"),
    ],
)
def test_a_plain_intention_is_normalised(path: str, name: str) -> None:
    assert project_name(Path(path)) == name


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("2fast", "digit"),
        ("class", "keyword"),
        ("match", "keyword"),
        ("json", "standard library"),
        ("Email", "standard library"),
        ("fastapi", "dependency"),
        ("pydantic-core", "dependency"),
        ("jwt", "dependency"),
        ("café", "ASCII"),
        ("a" * 64, "63"),
        ("---", "empty"),
        ("/", "empty"),
    ],
)
def test_another_name_is_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as refusal:
        project_name(Path(path))

    assert refusal.value.exit_code == USAGE
    assert refusal.value.hint


def test_every_module_of_a_direct_dependency_is_known() -> None:
    """The list can't rot: it covers what the template's pyproject.toml names."""
    pyproject = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())
    requirements = pyproject["project"]["dependencies"] + pyproject["dependency-groups"]["dev"]
    names = {line.split(">")[0].split("[")[0].lower() for line in requirements}

    modules = {
        module
        for module, distributions in packages_distributions().items()
        if names & {each.lower() for each in distributions}
        and re.fullmatch("[a-z][a-z0-9_]*", module)
    }

    assert {"fastapi", "jwt"} <= modules
    assert modules - DEPENDENCY_MODULES - {"py", "mypyc"} == set()
