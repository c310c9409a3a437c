"""Servers of other kinds, each in a process and a directory of its own, on free ports."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.helpers import GIVE_UP_SECONDS
from tests.live import free_port
from tests.services import REDIS_SERVER, program


@contextmanager
def short_directory() -> Iterator[Path]:
    """A path of a Unix socket has at most 107 bytes; those of pytest's directories are long."""
    with tempfile.TemporaryDirectory(prefix="t-") as directory:
        yield Path(directory)


@contextmanager
def running(
    command: Sequence[str], directory: Path, port: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block; it answers on its port."""
    name = program(command[0])
    assert name is not None, f"{command[0]} is not installed"
    log_file = directory / f"{Path(name).name}-{port}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [name, *command[1:]], cwd=directory, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(port, process, log_file)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log_file: Path) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} did not start:\n{log_file.read_text()}")


NGINX: Final = """
daemon off; master_process off; pid {here}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/f;
  uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
  upstream api {{ server {api}; keepalive 4; keepalive_timeout 60s; }}
  server {{
    listen 127.0.0.1:{port};
    location {prefix}/ {{
      proxy_pass http://api/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


@contextmanager
def nginx(directory: Path, api: str, *, prefix: str = "") -> Iterator[int]:
    """nginx before an API: `127.0.0.1:8000` or `unix:/path`; its port."""
    port = free_port()
    file = directory / f"nginx-{port}.conf"
    file.write_text(NGINX.format(here=directory, api=api, port=port, prefix=prefix))
    command = ["nginx", "-e", "stderr", "-p", str(directory), "-c", str(file)]
    with running(command, directory, port):
        yield port


HAPROXY: Final = """
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
  timeout check 60s
frontend here
  bind 127.0.0.1:{port}
  default_backend api
backend api
  option httpchk GET /health
  option forwardfor
  server one 127.0.0.1:{api} check inter 100ms fall 1 rise 1
"""


@contextmanager
def haproxy(directory: Path, api: int) -> Iterator[int]:
    """HAProxy before an API, whose health it checks as `httpchk` does; its port."""
    port = free_port()
    file = directory / f"haproxy-{port}.cfg"
    file.write_text(HAPROXY.format(port=port, api=api))
    with running(["haproxy", "-db", "-f", str(file)], directory, port):
        yield port


@contextmanager
def redis_server(directory: Path, *options: str, port: int = 0) -> Iterator[int]:
    """A Redis that keeps nothing on the disk; its port."""
    port = port or free_port()
    with redis_process(directory, *options, port=port):
        yield port


@contextmanager
def redis_process(directory: Path, *options: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The same, to be stopped and started again: a node of a cluster finds the others."""
    here = directory / f"redis-{port}"
    here.mkdir(exist_ok=True)
    command = [REDIS_SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running([*command, "--dir", str(here), *options], directory, port) as process:
        yield process
