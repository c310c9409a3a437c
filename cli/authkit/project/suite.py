"""What the project's own suite is told: the servers around it, and whether it runs as a whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

SELECTING: Final = (
    *("-k", "-m", "--lf", "--last-failed", "--sw", "--stepwise", "--deselect", "--ignore"),
    *("--collect-only", "--co", "--pyargs", "--setup-plan"),
)
"""The options of pytest after which not every test runs."""


def is_partial(pytest_args: Sequence[str], root: Path) -> bool:
    """Whether these arguments leave tests out: then the coverage of the rest says nothing."""
    for arg in pytest_args:
        name = arg.partition("=")[0]
        if name in SELECTING or name.startswith("--ignore-"):
            return True
        if arg[:2] in {"-k", "-m"} and not arg.startswith("--"):  # "-klogin"
            return True
        if not arg.startswith("-") and (root / arg.partition("::")[0]).exists():
            return True
    return False


def test_services(settings: dict[str, str]) -> dict[str, str]:
    """The servers that the suite may use beside its own SQLite, taken from the settings.

    The suite makes a scratch database on the server; it never touches the one that is named.
    """
    found = {}
    if settings.get("DATABASE_URL", "").startswith("postgres"):
        found["TEST_DATABASE_URL"] = settings["DATABASE_URL"]
    if settings.get("REDIS_URL"):
        found["TEST_REDIS_URL"] = settings["REDIS_URL"]
    return {name: settings.get(name, url) for name, url in found.items()}
