"""How the application is put together: settings in, ASGI out."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import Scope

from app import __version__
from app.accounts.services import Services, close_services, open_services
from app.api import auth, health, users
from app.api.dependencies import access_claims
from app.api.error_handlers import add_error_handlers
from app.api.responses import ANYWHERE, document_real_errors
from app.client_address import rate_limit_key
from app.config import Settings
from app.middleware.cors import CorsMiddleware
from app.middleware.crash_guard import CrashGuardMiddleware
from app.middleware.hosts import AllowedHostsMiddleware
from app.middleware.request_body import RequestBodyMiddleware
from app.middleware.request_context import RequestContextMiddleware
from app.middleware.request_head import RequestHeadMiddleware
from app.middleware.security_headers import SecurityHeadersMiddleware
from app.rate_limit import RateLimitMiddleware

DOCS_PATHS = ("/docs", "/redoc")


def create_app(settings: Settings) -> FastAPI:
    """Build the application; nothing is connected before its lifespan starts."""
    services = open_services(settings)
    app = FastAPI(
        title=settings.app_name,
        version=__version__,
        description=ANYWHERE,
        lifespan=_lifespan,
        middleware=_middleware(services),
        redirect_slashes=False,  # the redirect would go to whatever Host the client sent
        docs_url=DOCS_PATHS[0] if settings.serves_docs else None,
        redoc_url=DOCS_PATHS[1] if settings.serves_docs else None,
        openapi_url="/openapi.json" if settings.serves_docs else None,
    )
    app.state.services = services
    add_error_handlers(app)
    # Tried in this order, so the most asked comes first.
    for router in (users.router, auth.router, health.router):
        app.include_router(router)
    document_real_errors(app)
    return app


def _middleware(services: Services) -> list[Middleware]:
    """The layers around the routes, the outermost first."""
    settings = services.settings

    def address_of(scope: Scope) -> str:
        return rate_limit_key(scope["state"]["client_address"])

    def user_of(scope: Scope) -> str | None:
        claims = access_claims(scope, services.tokens)
        return str(claims.user_id) if claims else None

    return [
        Middleware(RequestContextMiddleware, trusted_proxies=settings.trusted_proxies),
        Middleware(
            SecurityHeadersMiddleware, docs_paths=DOCS_PATHS if settings.serves_docs else ()
        ),
        Middleware(RequestHeadMiddleware),
        Middleware(CorsMiddleware, allow_origins=settings.cors_origins),
        Middleware(CrashGuardMiddleware),
        Middleware(AllowedHostsMiddleware, allowed_hosts=settings.allowed_hosts),
        Middleware(
            RateLimitMiddleware,
            limiter=services.limiter,
            address_of=address_of,
            user_of=user_of,
            refuse_if_full=services.passwords.refuse_if_full,
        ),
        Middleware(RequestBodyMiddleware, max_bytes=settings.max_body_bytes),
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # What was made at start-up lives as long as the process; the garbage collector need not
    # walk through it again and again: p99 of reads 62 -> 18 ms.
    gc.collect()
    gc.freeze()
    yield
    await close_services(app.state.services)
