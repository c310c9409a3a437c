"""Which generator makes which client, and how it is called. Versions are those that were tried."""

from dataclasses import dataclass
from typing import Final

from authkit.project.environment import find_uv
from authkit.terminal.errors import UsageError


@dataclass(frozen=True)
class Generator:
    """A program that reads `openapi.json` in its working directory and writes `client/`."""

    name: str
    version: str
    command: tuple[str, ...]
    hint: str
    """When it can't be run."""


def generators() -> dict[str, Generator]:
    """By language."""
    return {"typescript": TYPESCRIPT, "python": python()}


TYPESCRIPT: Final = Generator(
    "@hey-api/openapi-ts",
    "0.99.0",
    (
        *(
            "npx",
            "--yes",
            "--package=@hey-api/openapi-ts@0.99.0",
            "--package=typescript@5.9.3",
            "--",
        ),
        *("openapi-ts", "-i", "openapi.json", "-o", "client"),
        *("-p", "@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk"),
    ),
    "install Node.js, which brings npx, and check the network",
)
"""Functions, and a type for each answer and each error; the client is `fetch` alone."""


def python() -> Generator:
    """Functions for threads and for asyncio, on httpx and attrs."""
    version = "0.29.1"
    tool = (find_uv(), "tool", "run", "--from", f"openapi-python-client=={version}")
    return Generator(
        "openapi-python-client",
        version,
        (
            *tool,
            *("openapi-python-client", "generate", "--path", "openapi.json"),
            *("--meta", "none", "--output-path", "client"),
        ),
        "check the network",
    )


def generator_of(language: str) -> Generator:
    known = generators()
    if language not in known:
        raise UsageError(f"there is no generator for {language}", f"known are {', '.join(known)}")
    return known[language]
