"""Run the generated project's whole suite through PgBouncer in transaction mode.

    .venv/bin/python scripts/through_pgbouncer.py [--project DIR] [--settings LINES] [PYTEST_ARGS…]

PostgreSQL is that of AUTHKIT_TEST_DATABASE_URL, Redis that of AUTHKIT_TEST_REDIS_URL, if set.
Tests that ask the server itself (what a role may, which connections there are) are skipped.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

DATABASE_URL = os.environ.get(
    "AUTHKIT_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    template = Path(__file__).parents[1] / "template"
    parser.add_argument("--project", type=Path, default=template, help="a generated one")
    parser.add_argument("--settings", default="", help="more lines of PgBouncer's configuration")
    chosen, arguments = parser.parse_known_args()
    sys.path.insert(0, str(chosen.project))
    pooler_to = import_module("tests.pooler").pooler_to
    with (
        tempfile.TemporaryDirectory() as directory,
        pooler_to(DATABASE_URL, Path(directory), chosen.settings) as url,
    ):
        environ = os.environ | {
            "TEST_DATABASE_URL": url,
            "TEST_REDIS_URL": os.environ.get("AUTHKIT_TEST_REDIS_URL", ""),
            "TEST_THROUGH_POOLER": "1",
        }
        command = [sys.executable, "-m", "pytest", "--no-cov", *arguments]
        return subprocess.run(command, cwd=chosen.project, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
