"""Sessions: opened by signing in, carried on by refreshing, and ended in every way there is.

A session is a family of refresh tokens with one row, see `models.Session`. An access token names
its session, and `find_signed_in_user` checks user and session in one query: they die together.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy import ColumnElement, Update, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import RevokedReason, Session, User
from app.accounts.tokens import Claims, InvalidToken, TokenType, token_hash
from app.foundation.database import AnyRow, utc_now
from app.security_events import SecurityEvent
from app.services import Services

LOST_RACE_SECONDS: Final = 10
"""A refresh token replayed this soon may come from a client that asked twice at once: it gets
nothing, and its session lives. Later, or once its successor was used too, it was stolen."""

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Device:
    """What a session remembers of the client that opened it."""

    ip_address: str
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class TokenPair:
    access_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """The user behind a request, and the session it came through."""

    id: UUID
    email: str
    name: str | None
    role: str
    created_at: datetime
    session_id: UUID


def is_live(now: datetime | Any) -> ColumnElement[bool]:
    return Session.revoked_at.is_(None) & (Session.expires_at > now)


_SIGNED_IN_USER = (
    select(User.id, User.email, User.name, User.role, User.created_at, Session.id)
    .join(Session, Session.user_id == User.id)
    .where(Session.id == bindparam("session_id"), User.id == bindparam("user_id"))
    .where(User.is_active, is_live(bindparam("now")))
)


async def find_signed_in_user(services: Services, claims: Claims) -> SignedInUser | None:
    """Load user and session of an access token; None when either has ended."""
    row = await services.database.fetch_one(
        _SIGNED_IN_USER, session_id=claims.session_id, user_id=claims.user_id, now=utc_now()
    )
    return SignedInUser(*row) if row else None


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
    tokens = _token_pair(services, claims, session.token_id, now)
    session.token_hash = token_hash(tokens.refresh_token)
    db.add(session)
    return tokens


def _token_pair(
    services: Services, claims: Claims, refresh_token_id: UUID, refreshed_at: datetime
) -> TokenPair:
    now = utc_now()
    who = {"user_id": claims.user_id, "session_id": claims.session_id}
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
    )


@dataclass(frozen=True, slots=True)
class IssuedToken:
    access_token: str
    session_id: UUID
    expires_at: datetime


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
    token = services.tokens.sign(
        TokenType.ACCESS,
        user_id=user_id,
        session_id=session.id,
        token_id=uuid4(),
        issued_at=now,
        expires_at=session.expires_at,
    )
    return IssuedToken(token, session.id, session.expires_at)


# ---- Refreshing -----------------------------------------------------------------------------

_ROTATE = (
    update(Session)
    .where(Session.id == bindparam("sid"), Session.user_id == bindparam("sub"))
    .where(Session.token_hash == bindparam("presented"), is_live(bindparam("now")))
    .where(select(User.id).where(User.id == Session.user_id, User.is_active).exists())
    .values(
        token_id=bindparam("successor_id"),
        token_hash=bindparam("successor"),
        parent_hash=bindparam("presented"),
        rotated_at=bindparam("now"),
    )
    .returning(Session.id)
)


async def refresh(services: Services, refresh_token: str) -> TokenPair:
    """Exchange a refresh token for its successor and a new access token, once.

    One conditional UPDATE decides, so of any number of parallel tries exactly one succeeds, on
    SQLite as on PostgreSQL.

    Raises:
        InvalidToken: not a current refresh token. If it was replayed, its session has ended.
    """
    claims = services.tokens.read(refresh_token, TokenType.REFRESH)
    now, token_id = utc_now(), uuid4()
    successor = _token_pair(services, claims, token_id, now)
    rotated = await services.database.execute(
        _ROTATE,
        sid=claims.session_id,
        sub=claims.user_id,
        presented=token_hash(refresh_token),
        successor=token_hash(successor.refresh_token),
        successor_id=token_id,
        now=now,
    )
    return successor if rotated else await _answer_replay(services, claims, refresh_token)


async def _answer_replay(services: Services, claims: Claims, refresh_token: str) -> TokenPair:
    """Tell a lost answer and a lost race from a theft (RFC 9700 §4.14.2)."""
    presented = token_hash(refresh_token)
    session = await _find_live_session(services, claims)
    if session is None or presented == session.token_hash:
        raise InvalidToken
    if presented == session.parent_hash:
        age = utc_now() - session.rotated_at
        if age <= timedelta(seconds=services.settings.refresh_reuse_grace_seconds):
            return _same_successor(services, claims, session)
        if age <= timedelta(seconds=LOST_RACE_SECONDS):
            raise InvalidToken
    await services.database.execute(
        revoke(RevokedReason.REFRESH_REUSED).where(Session.id == claims.session_id)
    )
    logger.warning(
        SecurityEvent.REFRESH_REUSED, user_id=str(claims.user_id), session_id=str(claims.session_id)
    )
    raise InvalidToken


async def _find_live_session(services: Services, claims: Claims) -> AnyRow | None:
    columns = (Session.token_id, Session.token_hash, Session.parent_hash, Session.rotated_at)
    return await services.database.fetch_one(
        select(*columns)
        .join(User, User.id == Session.user_id)
        .where(Session.id == claims.session_id, User.id == claims.user_id, User.is_active)
        .where(is_live(utc_now()))
    )


def _same_successor(services: Services, claims: Claims, session: AnyRow) -> TokenPair:
    """Sign the successor again from what its row says; signing is deterministic."""
    tokens = _token_pair(services, claims, session.token_id, session.rotated_at)
    if token_hash(tokens.refresh_token) != session.token_hash:  # the secret has changed since
        raise InvalidToken
    return tokens


# ---- Ending ---------------------------------------------------------------------------------


def revoke(reason: RevokedReason) -> Update:
    """An UPDATE that ends sessions; narrow it with `where`."""
    return (
        update(Session)
        .where(Session.revoked_at.is_(None))
        .values(revoked_at=utc_now(), revoked_reason=reason)
    )


async def sign_out(services: Services, user: SignedInUser, refresh_token: str) -> None:
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
    logger.info(SecurityEvent.LOGGED_OUT, user_id=str(user.id))


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
    logger.info(SecurityEvent.SESSIONS_REVOKED, user_id=str(user_id), sessions=count)
    return count


async def lock_user(db: AsyncSession, user_id: UUID) -> User | None:
    """Take the row that whoever opens a session takes too, so that none slips through."""
    return await db.scalar(select(User).where(User.id == user_id).with_for_update())


async def lock_signed_in_user(db: AsyncSession, user: SignedInUser) -> User:
    """Take the row of who asks, before a change that they may make only while signed in.

    The session was checked when the request came in. A password takes long to hash: whoever was
    signed out meanwhile, or deactivated, must not have the last word.

    Raises:
        InvalidToken: the session has ended.
    """
    locked = await lock_user(db, user.id)
    live = select(Session.id).where(Session.id == user.session_id, is_live(utc_now()))
    if locked is None or not locked.is_active or await db.scalar(live) is None:
        raise InvalidToken
    return locked


async def list_sessions(
    services: Services, user_id: UUID, current: UUID | None = None
) -> Sequence[AnyRow]:
    """The live sessions of a user, the latest used first; `current` is marked."""
    return await services.database.fetch_all(
        select(
            Session.id,
            Session.created_at,
            Session.rotated_at.label("last_used_at"),
            Session.expires_at,
            Session.user_agent,
            Session.ip_address,
            (Session.id == current).label("current"),
        )
        .where(Session.user_id == user_id, is_live(utc_now()))
        .order_by(Session.rotated_at.desc(), Session.id)
    )


async def revoke_session(
    services: Services, user_id: UUID, session_id: UUID, reason: RevokedReason
) -> bool:
    """End one session of a user; False when there is no such live session."""
    ended = await services.database.execute(
        revoke(reason)
        .where(Session.id == session_id, Session.user_id == user_id, is_live(utc_now()))
        .returning(Session.id)
    )
    if ended:
        logger.info(
            SecurityEvent.SESSIONS_REVOKED, user_id=str(user_id), session_id=str(session_id)
        )
    return bool(ended)
