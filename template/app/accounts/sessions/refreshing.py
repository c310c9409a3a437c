"""Refreshing a session: a refresh token works once, and its replay ends the session.

A lost race is no replay: two tabs refresh at once, or a client that lost the answer tries again.
"""

from datetime import timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import bindparam, select, update

from app.accounts.events import note, record
from app.accounts.models import RevokedReason, Session, User
from app.accounts.sessions.current import is_live, lock_user
from app.accounts.sessions.ending import revoke
from app.accounts.sessions.opening import Device, TokenPair, token_pair
from app.accounts.tokens import Claims, InvalidToken, TokenType, token_hash
from app.errors import AppError, ErrorCode
from app.foundation.database import AnyRow, utc_now
from app.foundation.http.client_address import UNKNOWN, rate_limit_key
from app.foundation.log.sampling import log_sampled
from app.security_events import SecurityEvent
from app.services import Services

LOST_RACE_SECONDS: Final = 10
"""A refresh token that is replayed this soon, from the place that got its successor, may come from
a client that asked twice: it gets nothing, and its session lives. It was stolen if it comes later,
from elsewhere, or after its successor was used too."""


class RefreshSuperseded(AppError):
    """401: another request of the same client was faster. Its session lives."""

    def __init__(self) -> None:
        super().__init__(
            401,
            ErrorCode.REFRESH_SUPERSEDED,
            "The session was refreshed a moment ago. Use the tokens that came with that answer.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


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
        ip_address=bindparam("address"),
        user_agent=bindparam("agent"),
    )
    .returning(Session.id)
)


async def refresh(services: Services, refresh_token: str, device: Device) -> TokenPair:
    """Exchange a refresh token for its successor and a new access token, once.

    One conditional UPDATE decides, so exactly one of several parallel tries succeeds, on SQLite and
    on PostgreSQL. The session keeps the address and agent of the last refresh.

    Raises:
        InvalidToken: not a current refresh token. If it was replayed, its session has ended.
        RefreshSuperseded: it was exchanged a moment ago, by the same client.
    """
    claims = _read(services, refresh_token)
    now, token_id = utc_now(), uuid4()
    successor = token_pair(services, claims, token_id, now)
    rotated = await services.database.execute(
        _ROTATE,
        sid=claims.session_id,
        sub=claims.user_id,
        presented=token_hash(refresh_token),
        successor=token_hash(successor.refresh_token),
        successor_id=token_id,
        now=now,
        address=device.ip_address,
        agent=device.user_agent,
    )
    return successor if rotated else await _answer_replay(services, claims, refresh_token, device)


def _read(services: Services, refresh_token: str) -> Claims:
    try:
        return services.tokens.read(refresh_token, TokenType.REFRESH)
    except InvalidToken:
        log_sampled(SecurityEvent.REFRESH_REFUSED)
        raise


async def _answer_replay(
    services: Services, claims: Claims, refresh_token: str, device: Device
) -> TokenPair:
    """Tell a lost answer and a lost race from a theft (RFC 9700 §4.14.2).

    A fast thief has won the race, and the owner's try comes from elsewhere. A slow thief's own try
    comes from elsewhere.
    """
    presented = token_hash(refresh_token)
    session = await _find_live_session(services, claims)
    if session is None or presented == session.token_hash:
        who = {"user_id": str(claims.user_id), "session_id": str(claims.session_id)}
        log_sampled(SecurityEvent.REFRESH_REFUSED, **who)
        raise InvalidToken
    if presented == session.parent_hash and _is_where_it_went(session, device):
        age = utc_now() - session.rotated_at
        grace = timedelta(seconds=services.settings.refresh_reuse_grace_seconds)
        if age <= max(grace, timedelta(seconds=LOST_RACE_SECONDS)):
            # A thief may have been faster.
            note(services, SecurityEvent.REFRESH_SUPERSEDED, claims.user_id, claims.session_id)
            if age <= grace:
                return _same_successor(services, claims, session)
            raise RefreshSuperseded
    async with services.database.transaction() as db:
        await lock_user(db, claims.user_id)
        await db.execute(
            revoke(RevokedReason.REFRESH_REUSED).where(Session.id == claims.session_id)
        )
        record(db, SecurityEvent.REFRESH_REUSED, claims.user_id, session_id=claims.session_id)
    raise InvalidToken


def _is_where_it_went(session: AnyRow, device: Device) -> bool:
    """Whether the caller has the address or the agent of the last refresh.

    One of them is enough, because people roam between two requests, and apps are updated. An
    address means the same as in the limits: IPv6 gives a device several. An unknown one never
    matches.
    """
    address, agent = device.ip_address, device.user_agent
    return (agent is not None and agent == session.user_agent) or (
        address != UNKNOWN
        and session.ip_address is not None
        and rate_limit_key(address) == rate_limit_key(session.ip_address)
    )


async def _find_live_session(services: Services, claims: Claims) -> AnyRow | None:
    columns = (
        *(Session.token_id, Session.token_hash, Session.parent_hash, Session.rotated_at),
        *(Session.ip_address, Session.user_agent),
    )
    return await services.database.fetch_one(
        select(*columns)
        .join(User, User.id == Session.user_id)
        .where(Session.id == claims.session_id, User.id == claims.user_id, User.is_active)
        .where(is_live(utc_now()))
    )


def _same_successor(services: Services, claims: Claims, session: AnyRow) -> TokenPair:
    """Sign the successor again from its row; the same row gives the same token."""
    tokens = token_pair(services, claims, session.token_id, session.rotated_at)
    if token_hash(tokens.refresh_token) != session.token_hash:  # the secret has changed since
        raise InvalidToken
    return tokens
