"""The name of a project: normalised where the intention is plain, else refused with a reason."""

import keyword
import re
import sys
from pathlib import Path
from typing import Final

from authkit.terminal.errors import UsageError

LONGEST_NAME: Final = 63
"""PostgreSQL cuts longer names off, and two projects would share a database."""

DEPENDENCY_MODULES: Final = frozenset(
    """
    aiosmtpd aiosmtplib alembic annotated_types anyio argon2 asyncpg bandit bcrypt certifi click
    coverage dns dotenv email_validator fastapi greenlet h11 httpcore httptools httpx hypothesis
    idna jwt limits mako markupsafe mypy packaging pip pydantic pydantic_core pydantic_settings
    pyjwt pytest pytest_cov pytest_xdist python_dotenv redis rich ruff schemathesis slowapi
    sniffio sqlalchemy starlette structlog trustme uvicorn uvloop xdist yaml zxcvbn
    """.split()  # noqa: SIM905 (a list of sixty strings says no more)
)
"""What the project's dependencies are called, as modules and as distributions."""


def project_name(path: Path) -> str:
    """The name that the last part of `path` gives: `My API` becomes `my-api`."""
    given = path.name
    name = re.sub(r"[\s._-]+", "-", given.strip()).strip("-").lower()
    problem = name_problem(name)
    if problem:
        raise UsageError(
            f"{given!r} can't be the name of a project: {problem}",
            "choose a name like my-api: letters, digits and dashes, a letter first",
        )
    return name


def name_problem(name: str) -> str:
    """Why a normalised name is refused, or nothing."""
    module = name.replace("-", "_")
    if not name:
        return "it is empty"
    if name[0].isdigit():
        return "it starts with a digit"
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        return "only ASCII letters, digits, dashes, dots, underscores and spaces can be in it"
    if len(name) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} characters"
    if keyword.iskeyword(module) or keyword.issoftkeyword(module):
        return f"{module} is a keyword of Python"
    if module in sys.stdlib_module_names:
        return f"{module} is a module of Python's standard library"
    if module in DEPENDENCY_MODULES:
        return f"{module} is a dependency of the project"
    return ""
