"""Run a generated project's whole suite on the Pythons and servers of Debian's newer suites.

    .venv/bin/python scripts/matrix.py [ROW…] [--pooler defaults|unprepared]
        [--directory DIR] [--pytest "ARGS"]

As root, on Debian with debootstrap, outside CI. Each suite is unpacked into DIR (1 GB each, kept
for the next time); its own PostgreSQL, Redis or Valkey, PgBouncer, nginx and HAProxy are what the
tests talk to, and none of them may be missing. With `--pooler` all goes through that suite's
PgBouncer in transaction mode, with its defaults or with `max_prepared_statements = 0`. Prints a
table, and exits 1 when a suite was red, also when what failed was run again by itself.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.suites import Suite, unpack
from scripts.wild_parts import live

HERE: Final = Path(__file__).parents[1]
PROJECT: Final = "/srv/project"
THROUGH: Final = "through_pgbouncer.py"

POOLERS: Final = {"defaults": "", "unprepared": "max_prepared_statements = 0"}
"""Settings of PgBouncer."""


@dataclass(frozen=True)
class Row:
    suite: str
    python: str
    postgresql: str
    redis: str


ROWS: Final = {
    "trixie": Row("trixie", "3.13", "17", "valkey-server"),
    "trixie-redis": Row("trixie", "3.13", "17", "redis-server"),
    "forky": Row("forky", "3.14", "18", "redis-server"),
    "forky-valkey": Row("forky", "3.14", "18", "valkey-server"),
    "forky-next": Row("forky", "3.15", "18", "valkey-server"),
}

SERVERS: Final = ("haproxy", "nginx-light", "pgbouncer", "postfix")
PROGRAMS: Final = ("ca-certificates", "git", "procps", *SERVERS)


def packages(rows: list[Row]) -> list[str]:
    wanted = set(PROGRAMS)
    for row in rows:
        wanted |= {f"python{row.python}", f"python{row.python}-venv", row.redis}
        wanted.add(f"postgresql-{row.postgresql}")
    return sorted(wanted)


def install(suite: Suite, row: Row) -> str:
    """Generate a project in there, with an environment of its own; returns its Python."""
    shutil.rmtree(suite.root / PROJECT[1:], ignore_errors=True)
    new = [sys.executable, "-m", "authkit", "new", str(suite.root / PROJECT[1:])]
    options = ["--defaults", "--no-git", "--no-install"]
    quiet = subprocess.DEVNULL
    subprocess.run([*new, *options], check=True, stdout=quiet, stderr=quiet)
    shutil.copy(HERE / "scripts" / THROUGH, suite.root / "srv")
    own = f"/srv/python{row.python}"
    suite.run(f"python{row.python}", "-m", "venv", own)
    requirements = f"{PROJECT}/requirements-dev.txt"
    suite.run(
        f"{own}/bin/python", "-m", "pip", "install", "-q", "--require-hashes", "-r", requirements
    )
    return f"{own}/bin/python"


@contextmanager
def servers(suite: Suite, row: Row) -> Iterator[dict[str, str]]:
    """What the suite is told of its PostgreSQL and its Redis."""
    database, counts = live.free_port(), live.free_port()
    home = f"/var/lib/postgresql/matrix-{row.postgresql}"
    programs = f"/usr/lib/postgresql/{row.postgresql}/bin"
    shutil.rmtree(suite.root / home[1:], ignore_errors=True)
    make = (f"{programs}/initdb", "-D", home, "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust")
    suite.run(*make, user="postgres")
    postgres = (f"{programs}/postgres", "-D", home, "-p", str(database), "-k", "", "-F")
    redis = (row.redis, "--port", str(counts), "--bind", "127.0.0.1", "--save", "")
    with suite.server(database, *postgres, user="postgres"), suite.server(counts, *redis):
        yield {
            "TEST_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{database}/postgres",
            "TEST_REDIS_URL": f"redis://127.0.0.1:{counts}/0",
            "TEST_REDIS_SERVER": row.redis,
        }


def versions(suite: Suite, row: Row, python: str) -> list[str]:
    commands = (
        (python, "--version"),
        (f"/usr/lib/postgresql/{row.postgresql}/bin/postgres", "--version"),
        (row.redis, "--version"),
        ("pgbouncer", "--version"),
        ("sh", "-c", "nginx -v 2>&1"),
        ("haproxy", "-v"),
    )
    found = [re.search(r"\d+\.\d+(\.\d+)?\w*", suite.run(*command)) for command in commands]
    name = "Valkey" if row.redis.startswith("valkey") else "Redis"
    numbers = [match[0] if match else "?" for match in found]
    return [*numbers[:2], f"{name} {numbers[2]}", *numbers[3:]]


def test(suite: Suite, row: Row, python: str, pooler: str, options: list[str]) -> tuple[str, bool]:
    """Run the suite; returns its last line, and whether it was green. What failed is run once more,
    alone, and both is said."""
    with servers(suite, row) as environ:
        command = [python, "-m", "pytest"]
        if pooler:
            environ["AUTHKIT_TEST_DATABASE_URL"] = environ["TEST_DATABASE_URL"]
            environ["AUTHKIT_TEST_REDIS_URL"] = environ["TEST_REDIS_URL"]
            command = [python, f"/srv/{THROUGH}", "--project", PROJECT]
            command += ["--settings", POOLERS[pooler]]
        environ["AUTHKIT_REQUIRE_SERVICES"] = "1"
        said, green = run(suite, [*command, *options], environ)
        if not green:
            alone = ["--last-failed", "-n0", "-q", "--no-cov"]
            again, green = run(suite, [*command, *alone], environ)
            said += f"; what failed, alone: {again}"
    return said, green


def run(suite: Suite, command: list[str], environ: dict[str, str]) -> tuple[str, bool]:
    inside = suite.command(*command, directory=PROJECT, **environ)
    log = suite.root / "srv/suite.log"
    with log.open("wb") as file:
        done = subprocess.run(inside, stdout=file, stderr=file, check=False)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    if done.returncode:
        print(*lines[-40:], sep="\n", file=sys.stderr)
    return lines[-1], done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp/authkit-matrix"))  # noqa: S108
    parser.add_argument("--pooler", choices=POOLERS, default="", help="go through PgBouncer")
    parser.add_argument("--pytest", default="-n2 -q --no-cov", help="its options")
    chosen = parser.parse_args()
    names = chosen.rows or list(ROWS)
    if unknown := set(names) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    chosen.directory.mkdir(parents=True, exist_ok=True)
    print("| run | Python | PostgreSQL | Redis | PgBouncer | nginx | HAProxy | result |")
    print("| --- " * 8 + "|")
    all_green = True
    for name in names:
        row = ROWS[name]
        same = [other for other in ROWS.values() if other.suite == row.suite]
        suite = unpack(row.suite, chosen.directory / row.suite, packages(same))
        python = install(suite, row)
        way = f" through PgBouncer, {chosen.pooler}" if chosen.pooler else ""
        cells = [f"{name}{way}, {datetime.now(UTC):%F}", *versions(suite, row, python)]
        options = shlex.split(chosen.pytest)
        said, green = test(suite, row, python, chosen.pooler, options)
        print("| " + " | ".join([*cells, said]) + " |", flush=True)
        all_green = all_green and green
    return 0 if all_green else 1


if __name__ == "__main__":
    sys.exit(main())
