"""The HTTP envelope: what every request passes before the first route is looked up.

Plain ASGI, because it runs on every request.
"""

from collections.abc import Collection

from starlette.middleware import Middleware

from app.config import Settings
from app.middleware.cors import CorsMiddleware
from app.middleware.crash_guard import CrashGuardMiddleware
from app.middleware.hosts import AllowedHostsMiddleware
from app.middleware.request_body import RequestBodyMiddleware
from app.middleware.request_context import RequestContextMiddleware
from app.middleware.security_headers import SecurityHeadersMiddleware


def middleware_stack(settings: Settings, docs_paths: Collection[str] = ()) -> list[Middleware]:
    """List the layers, outermost first. The order is part of the defence."""
    return [
        # Sees every request begin and end, so it logs each exactly once.
        Middleware(RequestContextMiddleware, trusted_proxies=settings.trusted_proxies),
        # These two add headers to whatever the layers inside answer, a 500 included.
        Middleware(SecurityHeadersMiddleware, docs_paths=docs_paths),
        Middleware(CorsMiddleware, allow_origins=settings.cors_origins),
        Middleware(CrashGuardMiddleware),
        # Refuse what needs no further thought, the cheapest check first.
        Middleware(AllowedHostsMiddleware, allowed_hosts=settings.allowed_hosts),
        Middleware(RequestBodyMiddleware, max_bytes=settings.max_body_bytes),
    ]
