"""Run the generated project's whole suite through PgBouncer in transaction mode.

    .venv/bin/python scripts/through_pgbouncer.py [PYTEST_ARGS…]

PostgreSQL is that of AUTHKIT_TEST_DATABASE_URL, Redis that of AUTHKIT_TEST_REDIS_URL, if set.
Tests that ask the server itself (what a role may, which connections there are) are skipped.
"""

import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

TEMPLATE = Path(__file__).parents[1] / "template"
sys.path.insert(0, str(TEMPLATE))

pooler_to = import_module("tests.pooler").pooler_to

DATABASE_URL = os.environ.get(
    "AUTHKIT_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)


def main(arguments: list[str]) -> int:
    with (
        tempfile.TemporaryDirectory() as directory,
        pooler_to(DATABASE_URL, Path(directory)) as url,
    ):
        environ = os.environ | {
            "TEST_DATABASE_URL": url,
            "TEST_REDIS_URL": os.environ.get("AUTHKIT_TEST_REDIS_URL", ""),
            "TEST_THROUGH_POOLER": "1",
        }
        command = [sys.executable, "-m", "pytest", "--no-cov", *arguments]
        return subprocess.run(command, cwd=TEMPLATE, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
