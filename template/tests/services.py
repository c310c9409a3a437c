"""Marks for tests that need a real server of another kind, and say so when there is none."""

import os
import shutil

import pytest

TEST_DATABASE_URL = os.environ.get("TEST_DATABASE_URL", "")
THROUGH_POOLER = os.environ.get("TEST_THROUGH_POOLER") == "1"
"""TEST_DATABASE_URL is that of a pooler."""

TEST_REDIS_URL = os.environ.get("TEST_REDIS_URL", "")

needs_postgresql = pytest.mark.skipif(
    not TEST_DATABASE_URL, reason="needs PostgreSQL: set TEST_DATABASE_URL"
)
needs_redis = pytest.mark.skipif(not TEST_REDIS_URL, reason="needs Redis: set TEST_REDIS_URL")

REQUIRED = os.environ.get("AUTHKIT_REQUIRE_SERVICES") == "1"
"""Under this, what is missing is a failure."""


def program(name: str) -> str | None:
    """Where a program is; those of servers are often not in the `PATH` of users."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _needs_program(name: str, package: str) -> pytest.MarkDecorator:
    missing = program(name) is None and not REQUIRED
    return pytest.mark.skipif(missing, reason=f"needs {name}: install {package}")


needs_nginx = _needs_program("nginx", "nginx-light")
needs_curl = _needs_program("curl", "curl")
needs_haproxy = _needs_program("haproxy", "haproxy")
REDIS_SERVER = os.environ.get("TEST_REDIS_SERVER", "redis-server")
"""Or `valkey-server`."""
needs_redis_server = _needs_program(REDIS_SERVER, "redis-server")

directly = pytest.mark.skipif(
    THROUGH_POOLER, reason="asks the server itself: TEST_DATABASE_URL is that of a pooler"
)
