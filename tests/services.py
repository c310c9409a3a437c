"""The real PostgreSQL and Redis that some tests need: where they are, and what if they are not."""

import os
import socket
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import pytest

DATABASE_URL: Final = os.environ.get(
    "AUTHKIT_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)
REDIS_URL: Final = os.environ.get("AUTHKIT_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
REQUIRED: Final = os.environ.get("AUTHKIT_REQUIRE_SERVICES") == "1"


def require_postgres() -> str:
    """A URL of PostgreSQL, or the end of the test."""
    return require("PostgreSQL", DATABASE_URL, 5432, "AUTHKIT_TEST_DATABASE_URL")


def require_redis() -> str:
    """A URL of Redis, or the end of the test."""
    return require("Redis", REDIS_URL, 6379, "AUTHKIT_TEST_REDIS_URL")


def require(name: str, url: str, port: int, variable: str) -> str:
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or port)
    try:
        socket.create_connection(address, timeout=3).close()
    except OSError as error:
        reason = f"no {name} answers at {address[0]}:{address[1]} ({error}); set {variable}"
        if REQUIRED:
            pytest.fail(f"{reason}; AUTHKIT_REQUIRE_SERVICES=1 makes this a failure")
        pytest.skip(reason)
    return url


def database_named(name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(require_postgres())._replace(path=f"/{name}"))
