"""Headers that tell a browser to treat every answer as data, and nothing more."""

from collections.abc import Collection
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.foundation.http.paths import route_path

RawHeaders = tuple[tuple[bytes, bytes], ...]

_CSP: Final = b"content-security-policy"

SECURITY_HEADERS: Final[RawHeaders] = (
    # Answers hold personal data and tokens: no cache keeps them (ASVS v5.0.0-14.3.2).
    (b"cache-control", b"no-store"),
    # JSON loads nothing and is framed by nobody, even if a browser shows it as a page (3.4.3).
    (_CSP, b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    # Pages of other origins read answers through CORS or not at all (Spectre, XS-Leaks).
    (b"cross-origin-resource-policy", b"same-origin"),
)

_TWO_YEARS: Final = b"max-age=63072000"

DOCS_CSP: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; "
    b"base-uri 'none'; form-action 'none'"
)
"""What Swagger UI and ReDoc load, from here alone; both write styles into the page. Only the
documentation pages get it, where they are on."""


class SecurityHeadersMiddleware:
    """Add the headers to every response, whoever made it. An endpoint's own value stands.

    Args:
        hsts: the value of Strict-Transport-Security (RFC 6797); None sends none.
    """

    def __init__(
        self, app: ASGIApp, docs_paths: Collection[str] = (), hsts: bytes | None = None
    ) -> None:
        self.app = app
        self.docs_paths = frozenset(docs_paths)
        added = ((b"strict-transport-security", hsts),) if hsts else ()
        self._headers: RawHeaders = (*SECURITY_HEADERS, *added)
        self._docs_headers: RawHeaders = tuple(
            (name, DOCS_CSP if name == _CSP else value) for name, value in self._headers
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        defaults = self._docs_headers if route_path(scope) in self.docs_paths else self._headers

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers.extend([header for header in defaults if header[0] not in present])
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, send_with_headers)


def hsts(*, include_subdomains: bool) -> bytes:
    """The promise that this host, and with it its subdomains, will answer HTTPS for two years."""
    return _TWO_YEARS + (b"; includeSubDomains" if include_subdomains else b"")
