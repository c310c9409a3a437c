"""What schemathesis can't know by itself: how to become an admin, and when the schema is modest.

Loaded into its process by `tests.referees`; reads the settings of the server under test.
"""

import asyncio
import json
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
import schemathesis
from pydantic import TypeAdapter, ValidationError
from schemathesis import AuthContext, Case, HookContext

from app.accounts.models import Role, User
from app.accounts.passwords import MAX_CODE_POINTS, MIN_LENGTH, password_problem
from app.accounts.sessions import Device, open_session
from app.api.schemas.values import Json
from app.config import load_settings
from app.services import close_services, open_services

ADMIN = UUID(int=1)

_JSON: TypeAdapter[Any] = TypeAdapter(Json)

_PASSWORD = range(MIN_LENGTH, MAX_CODE_POINTS + 1)
_PASSWORDS = ("password", "newPassword")
SOUND = {
    "email": range(10_000),
    "name": range(1, 10_000),
    **dict.fromkeys(_PASSWORDS, _PASSWORD),
}
"""Which lengths of a text the schema takes for good."""


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
def map_body(context: HookContext, body: Any) -> Any:
    """Of what the schema promises, send what is accepted as well.

    A schema says only what is true of every value that is accepted: no pattern tells addresses,
    and none counts bytes in UTF-8. What breaks the schema stays as it is, and so does what is
    accepted already.
    """
    if not isinstance(body, dict):
        return body
    return {name: _accepted(name, value) for name, value in body.items()}


def _accepted(name: str, value: Any) -> Any:
    if not isinstance(value, str) or len(value) not in SOUND.get(name, range(0)):
        return value
    made = f"{sha256(value.encode(errors='replace')).hexdigest()[:12]}"
    return f"{made}@example.com" if name == "email" else f"{made}-Aa1" if name != "name" else made


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leave out what schemathesis can't know to be too much."""
    body = case.body if isinstance(case.body, dict) else {}
    passwords = [text for text in map(body.get, _PASSWORDS) if isinstance(text, str)]
    return all(map(_is_kept, body.values())) and not any(map(_is_no_password, passwords))


def _is_kept(value: Any) -> bool:
    """JSON as resources keep it: no schema says what is inside, nor how deep that is. And integers
    of 64 bits: it reads the schema's maximum as a double, and takes one beyond for allowed."""
    if not isinstance(value, str | dict | list):
        return not isinstance(value, int) or abs(value) < 2**63
    try:
        _JSON.validate_python(json.loads(json.dumps(value), parse_float=Decimal))
    except ValidationError:
        return False
    return True


def _is_no_password(text: str) -> bool:
    """Of a length that the schema takes, and refused for what no schema can ask for."""
    sound = text.encode(errors="replace").decode()
    return len(text) in _PASSWORD and password_problem(sound) is not None
