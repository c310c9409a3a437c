"""What a read costs behind PgBouncer in transaction mode, and what without it, in pairs.

    .venv/bin/python scripts/pooler_reads.py [--pairs 15] [--seconds 3] [--clients 8]

One worker each of the project in `template/`, started as docs/deploy.md says, on one database. wrk
asks `GET /api/users/me` of one, then of the other; the order changes with each pair. Prints the
worker's CPU time for a read, and the time in which reads are answered, as ratios of one pair.
PostgreSQL is that of AUTHKIT_TEST_DATABASE_URL.
"""

import argparse
import asyncio
import os
import re
import secrets
import statistics
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "template"))

helpers, live, pooler = (import_module(f"tests.{name}") for name in ("helpers", "live", "pooler"))

DATABASE_URL: Final = os.environ.get(
    "AUTHKIT_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)
TICKS: Final = os.sysconf("SC_CLK_TCK")
SETTINGS: Final = {
    "environment": "test",
    "jwt_secret": secrets.token_urlsafe(48),
    "bcrypt_cost": "4",
    "rate_limit_general": "100000000/hour",
    "log_level": "warning",
}


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(server: Any, token: str, chosen: argparse.Namespace) -> tuple[float, float]:
    """Microseconds of the worker's CPU for a read, and between two answers."""
    before = cpu_seconds(server.process.pid)
    options = [
        "-t1",
        f"-c{chosen.clients}",
        f"-d{chosen.seconds}s",
        "-H",
        f"Authorization: {token}",
    ]
    wrk = await asyncio.create_subprocess_exec(
        "wrk", *options, f"{server.url}/api/users/me", stdout=asyncio.subprocess.PIPE
    )
    said = (await wrk.communicate())[0].decode()
    spent = cpu_seconds(server.process.pid) - before
    found = re.search(r"(\d+) requests in ([\d.]+)s", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    reads, seconds = int(found[1]), float(found[2])
    return spent / reads * 1e6, seconds / reads * 1e6


async def run(chosen: argparse.Namespace, here: Path, url: str, pooled: str) -> None:
    values = SETTINGS | {"database_url": url}
    async with (
        live.serving(here, values) as direct,
        live.serving(here, values | {"database_url": pooled}) as behind,
        direct.client() as client,
    ):
        token = (await helpers.register(client)).headers["Authorization"]
        for server in (direct, behind):  # warm
            await measure(server, token, chosen)
        pairs = []
        for number in range(chosen.pairs):
            order = (direct, behind) if number % 2 else (behind, direct)
            costs = {server: await measure(server, token, chosen) for server in order}
            pairs.append((costs[direct], costs[behind]))
    for index, name in enumerate(("the worker's CPU", "between two answers")):
        ratios = [there[index] / here_[index] for here_, there in pairs]
        sides = [statistics.median(pair[side][index] for pair in pairs) for side in (0, 1)]
        low, _, high = statistics.quantiles(ratios, n=4)
        print(
            f"{name}: {sides[0]:.0f} µs without, {sides[1]:.0f} µs behind the pooler; "
            f"ratio {statistics.median(ratios):.3f} (middle half {low:.3f} to {high:.3f})"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--settings", default="", help="more lines of PgBouncer's configuration")
    chosen = parser.parse_args()
    url = asyncio.run(helpers.make_scratch_database(DATABASE_URL))
    try:
        helpers.migrate(url)
        with (
            tempfile.TemporaryDirectory() as directory,
            pooler.pooler_to(url, Path(directory), chosen.settings) as pooled,
        ):
            asyncio.run(run(chosen, Path(directory), url, pooled))
    finally:
        asyncio.run(helpers.drop_scratch_databases(DATABASE_URL))
    return 0


if __name__ == "__main__":
    sys.exit(main())
