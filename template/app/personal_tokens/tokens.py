"""Making, finding and ending personal tokens."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import DBAPIError

from app.accounts.events import record
from app.accounts.models import User
from app.accounts.sessions import SessionUser, SignedInUser, lock_signed_in_user, lock_user
from app.accounts.tokens import token_hash
from app.errors import AppError, ErrorCode, Unavailable, limit_reached
from app.foundation.database import AnyRow, utc_now
from app.personal_tokens.events import TokenEvent
from app.personal_tokens.format import PREFIX, SHOWN, is_well_formed, new_token
from app.personal_tokens.models import PersonalToken
from app.services import Services

MAX_TOKENS: Final = 20
"""Live ones of a user (ASVS 5.0 15.2.2)."""

LAST_USED_EVERY: Final = timedelta(minutes=10)
"""How exact "last used" is: a write in ten minutes, not one for each request."""


@dataclass(frozen=True, slots=True)
class TokenUser(SignedInUser):
    """A user whom a personal token signed in."""

    token_id: UUID
    read_only: bool

    def sign_of_life(self) -> Select[Any]:
        live = PersonalToken.expires_at > utc_now()
        return select(PersonalToken.id).where(PersonalToken.id == self.token_id, live)

    def may_write(self) -> bool:
        return not self.read_only


_TOKEN_USER: Final = (
    select(User.id, User.email, User.name, User.role, User.created_at)
    .add_columns(PersonalToken.id, PersonalToken.read_only, PersonalToken.last_used_at)
    .join(PersonalToken, PersonalToken.user_id == User.id)
    .where(PersonalToken.token_hash == bindparam("token_hash"))
    .where(User.is_active, PersonalToken.expires_at > bindparam("now"))
)


class PersonalBearer:
    """Personal tokens as a kind of bearer token (`api.dependencies.BearerKind`)."""

    prefix = PREFIX

    async def find_user(self, services: Services, token: str) -> SignedInUser | None:
        """User and token in one query, as with sessions; None when either has ended."""
        if not is_well_formed(token):
            return None
        row = await services.database.fetch_one(
            _TOKEN_USER, token_hash=token_hash(token), now=utc_now()
        )
        if row is None:
            return None
        *user, last_used_at = row
        found = TokenUser(*user)
        if last_used_at is None or last_used_at < utc_now() - LAST_USED_EVERY:
            with suppress(Unavailable, DBAPIError):  # nobody is locked out for it
                await _note_use(services, found.token_id)
        return found


async def _note_use(services: Services, token_id: UUID) -> None:
    """Of many requests at once, the first writes."""
    now = utc_now()
    due = or_(
        PersonalToken.last_used_at.is_(None), PersonalToken.last_used_at < now - LAST_USED_EVERY
    )
    await services.database.execute(
        update(PersonalToken).where(PersonalToken.id == token_id, due).values(last_used_at=now)
    )


async def create_token(
    services: Services,
    user_id: UUID,
    name: str,
    lifetime: timedelta,
    *,
    read_only: bool,
    by: SessionUser | None = None,
) -> tuple[PersonalToken, str]:
    """Make a token; it is returned this once.

    Args:
        by: the owner who asks; None is an operator.

    Raises:
        AppError: 409 limit_reached; 404 not_found, the user is gone.
        InvalidToken: the session of `by` has ended meanwhile.
    """
    text, now = new_token(), utc_now()
    token = PersonalToken(
        user_id=user_id,
        name=name,
        prefix=text[:SHOWN],
        token_hash=token_hash(text),
        read_only=read_only,
        created_at=now,
        expires_at=now + lifetime,
    )
    async with services.database.transaction() as db:
        # The lock makes those who ask at once wait for each other, so the count is true.
        user = await (lock_signed_in_user(db, by) if by else lock_user(db, user_id))
        if user is None:
            raise AppError(404, ErrorCode.NOT_FOUND, "There is no such user.")
        live = select(func.count()).where(
            PersonalToken.user_id == user_id, PersonalToken.expires_at > now
        )
        if (await db.scalar(live) or 0) >= MAX_TOKENS:
            raise limit_reached(MAX_TOKENS, "tokens")
        db.add(token)
        kind = "personal_token_created"
        await services.outbox.promise(db, kind, user.email, user_id=user_id)
        record(db, TokenEvent.CREATED, user_id, token_id=str(token.id))
    return token, text


async def list_tokens(services: Services, user_id: UUID) -> Sequence[AnyRow]:
    """The live tokens of a user, the newest first."""
    return await services.database.fetch_all(
        select(PersonalToken.__table__)
        .where(PersonalToken.user_id == user_id, PersonalToken.expires_at > utc_now())
        .order_by(PersonalToken.created_at.desc(), PersonalToken.id)
    )


async def revoke_token(services: Services, user_id: UUID, token_id: UUID) -> bool:
    """End a token of a user; False when there is no such token."""
    mine = (PersonalToken.id == token_id, PersonalToken.user_id == user_id)
    live = delete(PersonalToken).where(*mine, PersonalToken.expires_at > utc_now())
    async with services.database.transaction() as db:
        await lock_user(db, user_id)
        gone = await db.scalar(live.returning(PersonalToken.id))
        if gone is not None:
            record(db, TokenEvent.REVOKED, user_id, token_id=str(token_id))
    return gone is not None
