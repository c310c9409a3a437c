"""`/health`: is the process alive, and can it work."""

import asyncio

from fastapi import APIRouter

from app import __version__
from app.api.dependencies import ServicesDep
from app.api.schemas.health import Health, Readiness
from app.errors import Unavailable
from app.foundation.database import utc_now
from app.foundation.http.openapi import errors
from app.foundation.limits import unlimited

router = APIRouter(prefix="/health", tags=["health"])


@router.get("")
@unlimited
async def health() -> Health:
    """The process answers. Depends on nothing else, so that a restart is never in vain."""
    return Health(status="ok", timestamp=utc_now(), version=__version__)


@router.get("/ready", responses=errors(503))
@unlimited
async def ready(services: ServicesDep) -> Readiness:
    """Database and limit store answer too."""
    database, limits = await asyncio.gather(services.database.is_up(), services.limiter.is_up())
    if not (database and limits):
        down = {"database": _state(database), "limits": _state(limits)}
        raise Unavailable("Not ready.", details=down)
    return Readiness(status="ok", database="ok", limits="ok")


def _state(up: bool) -> str:
    return "ok" if up else "down"
