"""How the application is put together, from its settings to ASGI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import ModuleType

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError
from starlette.middleware import Middleware
from starlette.types import Scope

from app import __version__, api
from app.accounts.administration import seeded_users
from app.accounts.common_passwords import common_passwords
from app.accounts.messages import start_mail
from app.api.dependencies import access_claims, refresh_claims, user_of_other_bearer
from app.config import Environment, Settings
from app.errors import Unavailable
from app.foundation.database import check_at_start
from app.foundation.http.client_address import rate_limit_key
from app.foundation.http.cors import CorsMiddleware
from app.foundation.http.crash_guard import CrashGuardMiddleware
from app.foundation.http.docs_pages import OPENAPI, PAGES, add_docs_pages
from app.foundation.http.error_handlers import add_error_handlers
from app.foundation.http.head import HeadMiddleware
from app.foundation.http.hosts import AllowedHostsMiddleware
from app.foundation.http.openapi_document import describe, document_exactly, operation_id, tags_of
from app.foundation.http.request_body import RequestBodyMiddleware
from app.foundation.http.request_context import RequestContextMiddleware
from app.foundation.http.request_head import RequestHeadMiddleware
from app.foundation.http.security_headers import SecurityHeadersMiddleware, hsts
from app.foundation.limits import USER
from app.foundation.limits.middleware import RateLimitMiddleware
from app.foundation.limits.routes import RouteRules, check_declarations
from app.foundation.modules import modules_in
from app.services import Services, close_services, open_services

HEALTH_PATHS = ("/health", "/health/ready")
MOST_ASKED = ("users", "auth")
"""Of the modules of `app/api/`."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application; nothing is connected before its lifespan starts."""
    services = open_services(settings)
    app = FastAPI(
        version=__version__,
        lifespan=_lifespan,
        redirect_slashes=False,  # the redirect would go to whatever Host the client sent
        docs_url=None,  # FastAPI's own load scripts from a foreign host
        redoc_url=None,
        openapi_url=OPENAPI if settings.serves_docs else None,
        generate_unique_id_function=operation_id,
        **describe(settings),
    )
    app.state.services = services
    add_error_handlers(app)
    include_routers(app)
    if settings.serves_docs:
        add_docs_pages(app)
    document_exactly(app)
    app.user_middleware = _layers(app, services)
    return app


def include_routers(app: FastAPI) -> None:
    """Serve every module of `app/api/` that has a `router`. Routers are tried one after the other,
    some 12 µs each, so the busiest come first.
    """
    modules = modules_in(api)
    with_router = [module for module in modules if hasattr(module, "router")]
    for module in sorted(with_router, key=_place):
        app.include_router(module.router)
        check_declarations(module, module.router.routes)
    app.openapi_tags = tags_of(with_router)
    app.state.bearer_kinds = [
        module.bearer_kind for module in modules if hasattr(module, "bearer_kind")
    ]


def _place(module: ModuleType) -> int:
    name = module.__name__.rpartition(".")[2]
    return MOST_ASKED.index(name) if name in MOST_ASKED else len(MOST_ASKED)


def _rules(app: FastAPI, services: Services) -> RouteRules:
    """The limit of each route, and whom a request counts against."""

    async def address(scope: Scope) -> str:
        return rate_limit_key(scope["state"]["client_address"])

    async def user(scope: Scope) -> str:
        if claims := access_claims(scope, services.tokens):
            return f"{USER}{claims.user_id}"
        other = await user_of_other_bearer(scope, services)
        return f"{USER}{other.id}" if other else await address(scope)

    async def refresh_token(scope: Scope) -> str:
        claims = refresh_claims(scope, services.tokens)
        return f"{USER}{claims.user_id}" if claims else await user(scope)

    key_of = {"user": user, "address": address, "refresh_token": refresh_token}
    return RouteRules(app.routes, services.settings, key_of)


def _layers(app: FastAPI, services: Services) -> list[Middleware]:
    """The layers around the routes, the outermost first."""
    settings = services.settings
    return [
        Middleware(
            RequestContextMiddleware,
            trusted_proxies=settings.trusted_proxies,
            quiet_paths=() if settings.log_health else HEALTH_PATHS,
        ),
        Middleware(HeadMiddleware, routes=app.routes),
        Middleware(
            SecurityHeadersMiddleware,
            docs_paths=PAGES if settings.serves_docs else (),
            hsts=_hsts(settings),
        ),
        *(layer for module in modules_in(api) for layer in _layers_of(module, app, services)),
        Middleware(
            CorsMiddleware,
            allow_origins=settings.cors_origins,
            allow_headers=settings.cors_headers,
        ),
        Middleware(RequestHeadMiddleware),
        Middleware(CrashGuardMiddleware),
        Middleware(
            AllowedHostsMiddleware, allowed_hosts=settings.allowed_hosts, any_host=HEALTH_PATHS
        ),
        Middleware(
            RateLimitMiddleware,
            limiter=services.limiter,
            rules=_rules(app, services),
            refuse_if_full=services.passwords.refuse_if_full,
            max_body_bytes=settings.max_body_bytes,
            routes=app.routes,
        ),
        Middleware(RequestBodyMiddleware, max_bytes=settings.max_body_bytes, routes=app.routes),
    ]


def _layers_of(module: ModuleType, app: FastAPI, services: Services) -> list[Middleware]:
    """The layers of modules of `app/api/` that have a function `layers`."""
    return module.layers(app, services) if hasattr(module, "layers") else []


def _hsts(settings: Settings) -> bytes | None:
    """None in development: a browser remembers it for every port of "localhost"."""
    if settings.environment is Environment.DEVELOPMENT:
        return None
    return hsts(include_subdomains=settings.hsts_include_subdomains)


async def _warn_of_seeds(services: Services) -> None:
    with suppress(Unavailable, DBAPIError):  # no database yet, or no tables: said elsewhere
        if seeded := await seeded_users(services):
            risk = f"the development users are in the database; deactivate {' and '.join(seeded)}"
            structlog.get_logger().warning("settings.risk", setting="DATABASE_URL", risk=risk)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    await check_at_start(app.state.services.database)
    common_passwords()  # now, not while others wait for somebody's registration
    services: Services = app.state.services
    start_mail(services)
    if services.settings.environment is Environment.PRODUCTION:
        services.background.submit(_warn_of_seeds(services))
    yield
    await close_services(app.state.services)
