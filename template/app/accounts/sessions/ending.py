"""Ending sessions, in every way there is."""

from uuid import UUID

from sqlalchemy import Update, delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.events import record
from app.accounts.models import RevokedReason, Session
from app.accounts.sessions.current import SessionUser, is_live, lock_user
from app.accounts.tokens import InvalidToken, TokenType
from app.foundation.database import Base, utc_now
from app.security_events import SecurityEvent
from app.services import Services


def revoke(reason: RevokedReason) -> Update:
    """An UPDATE that ends sessions; narrow it with `where`."""
    return (
        update(Session)
        .where(Session.revoked_at.is_(None))
        .values(revoked_at=utc_now(), revoked_reason=reason)
    )


async def end_credentials(
    services: Services, db: AsyncSession, user_id: UUID, reason: RevokedReason
) -> None:
    """End the user's other tokens, such as the personal tokens of a part. If a model has
    `ends_with(settings)`, that says for which reasons its rows end.
    """
    for mapper in Base.registry.mappers:
        ends_with = getattr(mapper.class_, "ends_with", None)
        if ends_with and reason in ends_with(services.settings):
            await db.execute(delete(mapper.class_).where(mapper.class_.user_id == user_id))


async def sign_out(services: Services, user: SessionUser, refresh_token: str) -> None:
    """End the session of this request, and that of the refresh token if it is the user's own."""
    ended = {user.session_id}
    try:
        claims = services.tokens.read(refresh_token, TokenType.REFRESH)
    except InvalidToken:
        pass
    else:
        if claims.user_id == user.id:
            ended.add(claims.session_id)
    async with services.database.transaction() as db:
        await lock_user(db, user.id)
        await db.execute(revoke(RevokedReason.LOGOUT).where(Session.id.in_(ended)))
        record(db, SecurityEvent.LOGGED_OUT, user.id)


async def sign_out_with_refresh_token(services: Services, refresh_token: str) -> bool:
    """End the session of a refresh token, which is proof enough (RFC 7009 §2.1); False if no live
    session has it. Any token of the family works, also an exchanged one: to replay that would end
    the session as well.
    """
    try:
        claims = services.tokens.read(refresh_token, TokenType.REFRESH)
    except InvalidToken:
        return False
    async with services.database.transaction() as db:
        await lock_user(db, claims.user_id)
        ended = await db.scalar(
            revoke(RevokedReason.LOGOUT)
            .where(Session.id == claims.session_id, Session.user_id == claims.user_id)
            .where(is_live(utc_now()))
            .returning(Session.id)
        )
        if ended is not None:
            record(db, SecurityEvent.LOGGED_OUT, claims.user_id, session_id=ended)
    return ended is not None


async def revoke_all_sessions(services: Services, user_id: UUID, reason: RevokedReason) -> int:
    """End all sessions of a user; returns how many there were."""
    async with services.database.transaction() as db:
        await lock_user(db, user_id)
        ended = await db.scalars(
            revoke(reason)
            .where(Session.user_id == user_id, is_live(utc_now()))
            .returning(Session.id)
        )
        count = len(ended.all())
        record(db, SecurityEvent.SESSIONS_REVOKED, user_id, sessions=count)
    return count


async def revoke_session(
    services: Services, user_id: UUID, session_id: UUID, reason: RevokedReason
) -> bool:
    """End one session of a user; False when there is no such live session."""
    async with services.database.transaction() as db:
        await lock_user(db, user_id)
        ended = await db.scalar(
            revoke(reason)
            .where(Session.id == session_id, Session.user_id == user_id, is_live(utc_now()))
            .returning(Session.id)
        )
        if ended is not None:
            record(db, SecurityEvent.SESSIONS_REVOKED, user_id, session_id=session_id)
    return ended is not None
