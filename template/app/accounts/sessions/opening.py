"""Opening a session: a row, an access token and a refresh token."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.events import record
from app.accounts.models import RevokedReason, Session
from app.accounts.sessions.current import is_live
from app.accounts.sessions.ending import revoke
from app.accounts.tokens import Claims, TokenType, token_hash
from app.foundation.database import utc_now
from app.security_events import SecurityEvent
from app.services import Services

MAX_LIVE: Final = 100
"""Live sessions of a user. One more sign-in ends the session that has been unused for longest."""

MAX_ENDED: Final = 200
"""Ended sessions of a user that are kept, so a login never reads more rows than these."""

AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Device:
    """The client that opened a session, or refreshed it last."""

    ip_address: str
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class TokenPair:
    access_token: str
    refresh_token: str
    session_id: UUID


@dataclass(frozen=True, slots=True)
class IssuedToken:
    access_token: str
    session_id: UUID
    expires_at: datetime


async def make_room(db: AsyncSession, user_id: UUID) -> None:
    """Leave room for one more session of a user. The caller holds the lock on the user's row."""
    own = select(Session.id).where(Session.user_id == user_id)
    rows = await db.scalar(select(func.count()).select_from(own.limit(MAX_LIVE).subquery()))
    if rows is None or rows < MAX_LIVE:  # as nearly always
        return
    live, latest_first = is_live(utc_now()), Session.rotated_at.desc()
    surplus = own.where(live).order_by(latest_first).offset(MAX_LIVE - 1).limit(AT_ONCE)
    ended = revoke(RevokedReason.TOO_MANY).where(Session.id.in_(surplus)).returning(Session.id)
    if count := len((await db.scalars(ended)).all()):
        record(db, SecurityEvent.SESSIONS_REVOKED, user_id, sessions=count)
    old = own.where(~live).order_by(latest_first).offset(MAX_ENDED).limit(AT_ONCE)
    await db.execute(delete(Session).where(Session.id.in_(old)))


def open_session(db: AsyncSession, services: Services, user_id: UUID, device: Device) -> TokenPair:
    """Add a session to the transaction. The caller holds the lock on the user's row."""
    now = utc_now()
    session = Session(
        id=uuid4(),
        user_id=user_id,
        token_id=uuid4(),
        created_at=now,
        rotated_at=now,
        expires_at=(now + services.session_lifetime).replace(microsecond=0),
        user_agent=device.user_agent,
        ip_address=device.ip_address,
    )
    claims = Claims(user_id, session.id, session.expires_at)
    tokens = token_pair(services, claims, session.token_id, now)
    session.token_hash = token_hash(tokens.refresh_token)
    db.add(session)
    return tokens


def token_pair(
    services: Services, claims: Claims, refresh_token_id: UUID, refreshed_at: datetime
) -> TokenPair:
    now = utc_now()
    who: dict[str, Any] = {"user_id": claims.user_id, "session_id": claims.session_id}
    return TokenPair(
        access_token=services.tokens.sign(
            TokenType.ACCESS,
            **who,
            token_id=uuid4(),
            issued_at=now,
            expires_at=min(now + services.access_token_lifetime, claims.expires_at),
        ),
        refresh_token=services.tokens.sign(
            TokenType.REFRESH,
            **who,
            token_id=refresh_token_id,
            issued_at=refreshed_at,
            expires_at=claims.expires_at,  # the session's: no rotation prolongs it
        ),
        session_id=claims.session_id,
    )


async def issue_access_token(services: Services, user_id: UUID, lifetime: timedelta) -> IssuedToken:
    """Make an access token for an operator, with a session of its own that ends with it."""
    now = utc_now()
    session = Session(
        id=uuid4(),
        user_id=user_id,
        token_hash=token_hash(secrets.token_urlsafe()),  # nobody has a refresh token for it
        expires_at=(now + lifetime).replace(microsecond=0),
        user_agent="issued by an operator",
    )
    async with services.database.transaction() as db:
        db.add(session)
        record(db, SecurityEvent.TOKEN_ISSUED, user_id, session_id=session.id)
    token = services.tokens.sign(
        TokenType.ACCESS,
        user_id=user_id,
        session_id=session.id,
        token_id=uuid4(),
        issued_at=now,
        expires_at=session.expires_at,
    )
    return IssuedToken(token, session.id, session.expires_at)
