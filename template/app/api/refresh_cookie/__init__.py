"""The refresh token in a cookie, for browsers. This is a part, see docs/browsers.md."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from app.api.refresh_cookie.layer import RefreshCookieMiddleware
from app.api.refresh_cookie.openapi import describe_cookie
from app.config import SettingsError
from app.refresh_cookie.settings import CookieSettings
from app.services import Services


def layers(app: FastAPI, services: Services) -> list[Middleware]:
    """
    Raises:
        SettingsError: every origin may ask, so no cookie may come along (Fetch §3.3.5).
    """
    settings = services.settings.part(CookieSettings)
    if not settings.refresh_cookie:
        return []
    if "*" in services.settings.cors_origins:
        problem = "sends credentials along, so CORS_ORIGINS can't be *; list the origins"
        raise SettingsError([("REFRESH_COOKIE", problem)])
    describe_cookie(app)
    samesite = settings.refresh_cookie_samesite
    return [Middleware(RefreshCookieMiddleware, services=services, samesite=samesite)]
