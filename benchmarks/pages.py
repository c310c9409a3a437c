"""How fast a page of a generated list is, at any depth: `python -m benchmarks.pages`.

Generates a project with a resource, makes two databases on the server of BENCHMARK_DATABASE_URL,
one with a few rows and one with ten million, a million of them one user's own, and asks the
application in turns. It wants some 5 GB for some minutes; `--rows 10000 --all 100000` is for a
look. Prints a table.
"""

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from benchmarks.project import generate
from benchmarks.servers import AUTHKIT

SERVER = os.environ.get("BENCHMARK_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
DATABASES = ("generate_pages_small", "generate_pages_large")
INSIDE = Path(__file__).with_name("pages_inside.py")


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a page of a generated list is.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of one user's own")
    parser.add_argument("--all", type=int, default=10_000_000, help="of everybody's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="authkit-pages-") as scratch:
        project = Path(scratch) / "myapi"
        generate(project)
        command = [*AUTHKIT, "generate", "resource", "note", "title", "done:boolean=false"]
        subprocess.run([*command, "--skip-migration"], cwd=project, check=True)
        asyncio.run(statements(*(f"CREATE DATABASE {name}" for name in DATABASES)))
        try:
            urls = [urlsplit(SERVER)._replace(path=f"/{name}").geturl() for name in DATABASES]
            asked = {"urls": urls, "rows": options.rows, "all": options.all}
            python = project / ".venv/bin/python"
            command = [str(python), "-", json.dumps(asked)]
            environment = os.environ | {"PYTHONPATH": str(project)}
            # From standard input: beside the script would lie a package called `limits`.
            with INSIDE.open() as script:
                subprocess.run(command, cwd=project, env=environment, stdin=script, check=True)
        finally:
            asyncio.run(statements(*(f"DROP DATABASE {name} WITH (FORCE)" for name in DATABASES)))


async def statements(*sql: str) -> None:
    connection = await asyncpg.connect(SERVER)
    for statement in sql:
        await connection.execute(statement)
    await connection.close()


if __name__ == "__main__":
    main()
