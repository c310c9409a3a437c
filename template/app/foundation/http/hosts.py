"""ALLOWED_HOSTS: requests for another name are refused, and never redirected.

A forged `Host` ends up in redirects, links and caches (OWASP WSTG-INPV-17).
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import AppError, ErrorCode, error_response
from app.foundation.http.paths import route_path
from app.foundation.log.sampling import log_sampled
from app.security_events import SecurityEvent

_LONGEST: Final = 264
"""Characters of a name with its port. A longer one is neither matched nor remembered."""

_HOST: Final = re.compile(rb"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")


class AllowedHostsMiddleware:
    """Let only requests for the allowed hosts pass: exact names, `*.example.com`, or `*`.

    Args:
        any_host: paths that are answered for any host. Balancers ask for the health of an
            address, not of a name, and can't always be told otherwise.
    """

    def __init__(
        self, app: ASGIApp, allowed_hosts: Collection[str], any_host: Collection[str] = ()
    ) -> None:
        self.app = app
        self.any_host = frozenset(any_host)
        names = {host.lower() for host in allowed_hosts}
        self.allow_any = "*" in names
        self.names = frozenset(name for name in names if not name.startswith("*"))
        self.suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self.is_allowed = lru_cache(maxsize=1024)(self._is_allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.allow_any or scope["type"] == "lifespan" or route_path(scope) in self.any_host:
            await self.app(scope, receive, send)
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        # RFC 9112 §3.2: none, several or a malformed one is a bad request.
        if len(hosts) == 1 and len(hosts[0]) <= _LONGEST and self.is_allowed(hosts[0]):
            await self.app(scope, receive, send)
        else:
            said = b",".join(hosts)[:_LONGEST].decode("latin-1")
            log_sampled(SecurityEvent.HOST_REFUSED, host=said)
            error = AppError(400, ErrorCode.INVALID_HOST, "This host is not served here.")
            await error_response(error)(scope, receive, send)

    def _is_allowed(self, host: bytes) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        # A final dot only says that the name is complete (RFC 1034 §3.1).
        name = match["name"].decode("ascii").lower().removesuffix(".")
        return name in self.names or name.endswith(self.suffixes)
