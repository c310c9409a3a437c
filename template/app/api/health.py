"""`/health`: whether the process runs, and whether it can work."""

from fastapi import APIRouter

from app import __version__
from app.api.dependencies import ServicesDep
from app.api.schemas.health import Health, Readiness
from app.errors import Unavailable
from app.foundation.database import utc_now
from app.foundation.http.openapi import errors
from app.foundation.limits import unlimited

router = APIRouter(prefix="/health", tags=["health"])


@router.get("", responses=errors(431))
@unlimited
async def health() -> Health:
    """The process answers. This depends on nothing else, so a restart always helps."""
    return Health(status="ok", timestamp=utc_now(), version=__version__)


@router.get("/ready", responses=errors(431, 503))
@unlimited
async def ready(services: ServicesDep) -> Readiness:
    """The database answers, and the limit store counts; checked at most once a second."""
    readiness = await services.readiness.get()
    states = readiness.states
    if not all(states.values()):
        down = [{"field": name, "message": _state(up)} for name, up in states.items() if not up]
        raise Unavailable("Not ready.", details=down)
    oldest = readiness.oldest_mail
    waiting = int(oldest.total_seconds()) if oldest else 0
    return Readiness(status="ok", database="ok", limits="ok", oldest_mail_seconds=waiting)


def _state(up: bool) -> str:
    return "ok" if up else "down"
