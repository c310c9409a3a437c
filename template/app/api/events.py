"""What happened to an account: `/api/users/me/events`, and anybody's for admins."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts import administration
from app.accounts.events import list_events
from app.accounts.models import AccountEvent
from app.api.dependencies import AdminUser, CurrentUser, ServicesDep
from app.api.schemas.events import EventInfo, EventPage, OwnEvent, OwnEventPage
from app.api.schemas.users import PageQuery
from app.foundation.http.openapi import errors

router = APIRouter(prefix="/api/users", tags=["events"])


@router.get("/me/events", responses=errors(400, 401, 429, 503))
async def list_own_events(
    user: CurrentUser, services: ServicesDep, page: Annotated[PageQuery, Query()]
) -> OwnEventPage:
    """What happened to the signed-in user's account, the latest first, for 90 days."""
    mine = AccountEvent.user_id == user.id
    rows, total = await list_events(services, mine, page.limit, page.offset)
    events = [OwnEvent.of(row) for row in rows]
    return OwnEventPage(events=events, total=total, limit=page.limit, offset=page.offset)


@router.get("/{user_id}/events", responses=errors(400, 401, 403, 404, 429, 503))
async def list_events_of_user(
    user_id: UUID, admin: AdminUser, services: ServicesDep, page: Annotated[PageQuery, Query()]
) -> EventPage:
    """What happened to an account, the latest first, for 90 days."""
    await administration.find_user(services, user_id)
    theirs = AccountEvent.user_id == user_id
    rows, total = await list_events(services, theirs, page.limit, page.offset)
    events = [EventInfo.model_validate(row) for row in rows]
    return EventPage(events=events, total=total, limit=page.limit, offset=page.offset)
