"""`authkit serve`: the project's API, in its own environment."""

import errno
import socket
from typing import Annotated

import typer

from authkit.project.project import Project
from authkit.project.system import WINDOWS
from authkit.terminal import console
from authkit.terminal.errors import AuthkitError, UsageError
from authkit.terminal.options import ProjectOption

# What a request in flight may take when the server is told to stop.
DRAIN_SECONDS = "6"
# A worker that is still starting on a busy machine is not a dead one.
WORKER_SECONDS = "30"
# Balancers keep idle connections for 60 s; the API must not be the one that closes them.
KEEP_ALIVE_SECONDS = "75"
LOG_CONFIG = "uvicorn_log.json"
# Of projects since 0.6: it serves clients that offer `Upgrade: h2c`.
PROTOCOL = "app.foundation.http.protocol:HttpProtocol"


def serve(
    project: ProjectOption = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = (8000),
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="The number of processes.")] = 1,
    reload: Annotated[
        bool, typer.Option("--reload/--no-reload", help="Start again when the code changes.")
    ] = False,
) -> None:
    """Serve the API.

    It answers running requests before it stops (Ctrl-C or SIGTERM).

    Examples:

      authkit serve --reload             while you develop
      authkit serve --port 8001
      authkit serve --host 0.0.0.0 --workers 4
    """
    if reload and workers > 1:
        raise UsageError("--reload works with one worker only", "leave out --workers")
    target = Project.find(project)
    ensure_settings(target)
    ensure_free(host, port)
    if workers > 1 and not target.settings().get("REDIS_URL"):
        console.warning(
            f"each of the {workers} workers counts its own limits; set REDIS_URL to share them"
        )
    if port:
        console.message(f"http://{url_host(host)}:{port}  (Ctrl-C stops it)")
    target.exec(uvicorn_arguments(target, host, port, workers, reload=reload))


def ensure_settings(project: Project) -> None:
    """Say what is wrong before a server starts, or starts its workers again and again.

    Loading the settings alone is quick; only when that fails is `app.manage` asked why.
    """
    probe = ["-c", "from app.config import load_settings; load_settings()"]
    if project.run(probe).returncode != 0:
        project.manage("info")


def uvicorn_arguments(
    project: Project, host: str, port: int, workers: int, *, reload: bool
) -> list[str]:
    """The start command that the project's docs/deploy.md documents.

    uvicorn is to believe no proxy header, not to name itself, and to log as the application does.
    """
    arguments = ["-m", "uvicorn", "app.main:app", "--host", host, "--port", str(port)]
    arguments += ["--no-proxy-headers", "--no-server-header"]
    arguments += ["--timeout-graceful-shutdown", DRAIN_SECONDS]
    arguments += ["--timeout-worker-healthcheck", WORKER_SECONDS]
    arguments += ["--timeout-keep-alive", KEEP_ALIVE_SECONDS]
    if (project.root / LOG_CONFIG).is_file():
        arguments += ["--log-config", LOG_CONFIG]
    if (project.root / f"{PROTOCOL.partition(':')[0].replace('.', '/')}.py").is_file():
        arguments += ["--http", PROTOCOL]
    if reload:
        return [*arguments, "--reload", "--reload-dir", "app"]
    return [*arguments, "--workers", str(workers)]


def url_host(host: str) -> str:
    """The host as a browser wants it: reachable, and in brackets when it is IPv6."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{reachable}]" if ":" in reachable else reachable


def ensure_free(host: str, port: int) -> None:
    """Say in one sentence what uvicorn would say in a log line after a whole start-up."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if not WINDOWS:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (socket.gaierror, UnicodeError):  # not known, or no name at all: "a..b"
        raise UsageError(f"{host!r} is not an address of this machine", "try 127.0.0.1") from None
    except OSError as failure:
        raise bind_error(host, port, failure) from None


def bind_error(host: str, port: int, failure: OSError) -> AuthkitError:
    if failure.errno == errno.EADDRINUSE:
        other = f"authkit serve --port {port + 1 if port < 65535 else 0}"
        return AuthkitError(
            f"port {port} on {host} is already in use",
            f"stop the process that holds it, or take another: {other}",
        )
    if failure.errno == errno.EACCES:
        return AuthkitError(
            f"port {port} on {host} may not be opened by this user",
            "take one above 1023, behind a reverse proxy",
        )
    return AuthkitError(f"{host}:{port} can't be opened: {failure.strerror}", "try 127.0.0.1")
