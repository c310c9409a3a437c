"""Marks for tests that need a real server of another kind, and say so when there is none."""

import os

import pytest

TEST_DATABASE_URL = os.environ.get("TEST_DATABASE_URL", "")
THROUGH_POOLER = os.environ.get("TEST_THROUGH_POOLER") == "1"
"""TEST_DATABASE_URL is that of a pooler."""

TEST_REDIS_URL = os.environ.get("TEST_REDIS_URL", "")

needs_postgresql = pytest.mark.skipif(
    not TEST_DATABASE_URL, reason="needs PostgreSQL: set TEST_DATABASE_URL"
)
needs_redis = pytest.mark.skipif(not TEST_REDIS_URL, reason="needs Redis: set TEST_REDIS_URL")

directly = pytest.mark.skipif(
    THROUGH_POOLER, reason="asks the server itself: TEST_DATABASE_URL is that of a pooler"
)
