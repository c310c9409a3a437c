"""What schemathesis can't know by itself: how to become an admin, and when the schema is modest.

Loaded into its process by `tests.referees`; reads the settings of the server under test.
"""

import asyncio
import re
from typing import Any
from uuid import UUID

import httpx
import schemathesis
from schemathesis import AuthContext, Case, HookContext

from app.accounts.models import Role, User
from app.accounts.passwords import password_problem
from app.accounts.sessions import Device, open_session
from app.api.schemas import CERTAINLY_ACCEPTED
from app.config import load_settings
from app.services import close_services, open_services

ADMIN = UUID(int=1)


@schemathesis.auth(refresh_interval=None)
class AdminAuth:
    """Signs in again whenever a test has signed out, as tests of /logout do."""

    def __init__(self) -> None:
        self.token = "none"

    def get(self, case: Case[Any], context: AuthContext) -> str:
        base_url = case.operation.schema.get_base_url().rstrip("/")
        if not _is_signed_in(base_url, self.token):
            self.token = asyncio.run(_sign_in_as_admin())
        return self.token

    def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


def _is_signed_in(base_url: str, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{base_url}/api/users/me", headers=headers).status_code == 200


async def _sign_in_as_admin() -> str:
    """Open a session without a password: tests may have changed the e-mail address."""
    # The server runs without an .env, so a token for the project's own issuer would be refused.
    services = open_services(load_settings(_env_file=None))
    try:
        async with services.database.transaction() as db:
            if await db.get(User, ADMIN) is None:
                db.add(User(id=ADMIN, email="admin@example.com", password_hash="", role=Role.ADMIN))
                await db.flush()
            return open_session(db, services, ADMIN, Device("127.0.0.1", None)).access_token
    finally:
        await close_services(services)


@schemathesis.hook
def filter_body(context: HookContext, body: Any) -> bool:
    """Leave out passwords that are accepted although the schema does not promise it.

    No pattern can count bytes in UTF-8, so the schema's is stricter than the rule.
    """
    if not isinstance(body, dict):
        return True
    chosen = (body.get("password"), body.get("newPassword"))
    return not any(isinstance(text, str) and _is_bonus(text) for text in chosen)


def _is_bonus(password: str) -> bool:
    try:
        refused = password_problem(password)
    except UnicodeEncodeError:  # a lone surrogate, which is refused before
        return False
    return not refused and not re.search(CERTAINLY_ACCEPTED, password)


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leave out numbers just over 64 bits: schemathesis takes one for the largest that is allowed,
    since it reads the schema's maximum as a double."""
    values = case.body.values() if isinstance(case.body, dict) else ()
    return not any(isinstance(value, int) and abs(value) >= 2**63 for value in values)
