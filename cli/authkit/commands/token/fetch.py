"""Keys from an address that the command names: one request, of bounded size and time."""

import http.client
import socket
import ssl
from contextlib import suppress
from threading import Timer
from typing import Final
from urllib.parse import SplitResult, urlsplit

from authkit.terminal.errors import AuthkitError, UsageError
from authkit.terminal.safe_text import safe

MAX_BYTES: Final = 1024 * 1024
STEP_SECONDS: Final = 5.0
ALL_SECONDS: Final = 10.0
LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


def is_address(source: str) -> bool:
    return source.lower().startswith(("https://", "http://"))


def fetch(url: str) -> tuple[bytes, str]:
    """What the address answers, and the host's name.

    No redirect is followed, so no other host is asked, nor is a proxy of the environment. A token's
    own `jku` never comes here.
    """
    parts = _checked(url)
    host = str(parts.hostname)
    try:
        answer = _get(parts)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem) or "no answer in time"
        raise AuthkitError(f"--key: {safe(host)} can't be asked: {safe(reason)}") from None
    if len(answer) > MAX_BYTES:
        raise AuthkitError(f"--key: {safe(host)} answers with more than {MAX_BYTES:,} bytes")
    return answer, host


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port_is_a_number = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_a_number = SplitResult("", "", "", "", ""), False
    if not port_is_a_number or not parts.hostname or "@" in parts.netloc:
        raise UsageError("--key: this is not an address of keys", "https://HOST/…/jwks.json")
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise UsageError(
            "--key: keys that come without TLS can be anybody's", "write https:// before the host"
        )
    return parts


def _get(parts: SplitResult) -> bytes:
    host, port = str(parts.hostname), parts.port
    connection = (
        http.client.HTTPSConnection(
            host, port, timeout=STEP_SECONDS, context=ssl.create_default_context()
        )
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=STEP_SECONDS)
    )
    connection.connect()
    limit = Timer(ALL_SECONDS, _hang_up, [connection.sock])
    limit.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise AuthkitError(
                f"--key: {safe(host)} answers {response.status}",
                "name the address that it leads to: redirects are not followed"
                if 300 <= response.status < 400
                else "is this the address of the keys?",
            )
        return response.read(MAX_BYTES + 1)
    finally:
        limit.cancel()
        connection.close()


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
