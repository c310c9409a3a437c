"""PgBouncer in front of the test server, in transaction mode: each transaction of a client may come
to another connection, as most hosters set it up."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest

from tests.helpers import GIVE_UP_SECONDS
from tests.live import free_port

PGBOUNCER: Final = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

REQUIRED: Final = os.environ.get("AUTHKIT_REQUIRE_SERVICES") == "1"

needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None and not REQUIRED, reason="needs PgBouncer: apt-get install pgbouncer"
)

UNPREPARED: Final = "max_prepared_statements = 0"
"""Some switch off what newer ones do for prepared statements; older ones have no such setting."""

CONFIGURATION: Final = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 1000
default_pool_size = 6
server_idle_timeout = 5
ignore_startup_parameters = extra_float_digits
"""


def settings_to_try() -> list[str]:
    """Its defaults, and where it can keep track of prepared statements (1.21 and newer), not to."""
    if PGBOUNCER is None:
        return [""]
    said = subprocess.run([PGBOUNCER, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    version = re.search(r"(\d+)\.(\d+)", said.stdout)
    assert version is not None, said.stdout
    return ["", UNPREPARED] if tuple(map(int, version.groups())) >= (1, 21) else [""]


@contextmanager
def pooler_to(database_url: str, directory: Path, settings: str = "") -> Iterator[str]:
    """The URL of the same database through a pooler of its own.

    Args:
        settings: more lines of its configuration.
    """
    assert PGBOUNCER is not None, "PgBouncer is not installed, and AUTHKIT_REQUIRE_SERVICES is set"
    port = free_port()
    parts = urlsplit(database_url)
    file = directory / f"pgbouncer-{port}.ini"
    file.write_text(CONFIGURATION.format(server=_server(database_url), port=port) + settings)
    with file.with_suffix(".log").open("wb") as log:
        # It refuses to run as root, and becomes somebody else when it is told whom.
        as_user = ["-u", "nobody"] if os.getuid() == 0 else []
        process = subprocess.Popen(  # noqa: S603
            [PGBOUNCER, *as_user, str(file)], cwd=directory, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(port, process)
        yield parts._replace(netloc=f"anybody@127.0.0.1:{port}").geturl()
    finally:
        process.kill()  # newer ones wait at SIGTERM until all clients have left
        process.wait()


def _server(database_url: str) -> str:
    parts = urlsplit(database_url)
    user = unquote(parts.username or getpass.getuser())
    server = f"host={parts.hostname or '127.0.0.1'} port={parts.port or 5432} user={user}"
    return f"{server} password={unquote(parts.password)}" if parts.password else server


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("PgBouncer did not start")
