"""Keys from an address that the command names: one request, of bounded size and time."""

import http.client
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
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
        answer = _in_time(_get, parts)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem) or "no answer in time"
        raise AuthkitError(f"--key: {safe(host)} can't be asked: {safe(reason)}") from None
    if len(answer) > MAX_BYTES:
        raise AuthkitError(f"--key: {safe(host)} answers with more than {MAX_BYTES:,} bytes")
    return answer, host


def _in_time(ask: Callable[[SplitResult], bytes], parts: SplitResult) -> bytes:
    """All of it: a name may be looked up, and a handshake drag on, for as long as others like.

    A daemon's thread ends with the command.
    """
    answered: Future[bytes] = Future()

    def work() -> None:
        try:
            answered.set_result(ask(parts))
        except Exception as problem:  # noqa: BLE001 - raised again by who waits
            answered.set_exception(problem)

    Thread(target=work, daemon=True).start()
    return answered.result(ALL_SECONDS)


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
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "application/json"})
        with connection.getresponse() as response:
            if response.status != http.client.OK:
                raise AuthkitError(
                    f"--key: {safe(host)} answers {response.status}",
                    "name the address that it leads to: redirects are not followed"
                    if 300 <= response.status < 400
                    else "is this the address of the keys?",
                )
            return response.read(MAX_BYTES + 1)
    finally:
        connection.close()
