"""The same scenario as scenario.ts, of openapi-python-client; read by `mypy --strict`."""

import os
from typing import TypeVar

from generated import AuthenticatedClient, Client
from generated.api.auth import login, logout, refresh, register
from generated.api.sessions import list_sessions
from generated.api.users import read_profile, update_profile
from generated.models import (
    ApiError,
    ErrorCode,
    LoginInput,
    RefreshInput,
    RegisterInput,
    SignedIn,
    UpdateProfileInput,
)
from generated.types import Response, Unset

T = TypeVar("T")
API = os.environ["API"]
EMAIL, PASSWORD = "ada@example.com", "Пароль-12345"


def good(answer: Response[ApiError | T]) -> T:
    assert answer.parsed is not None
    assert not isinstance(answer.parsed, ApiError), answer.content
    return answer.parsed


def bad(answer: Response[ApiError | T], status: int, code: ErrorCode) -> ApiError:
    assert isinstance(answer.parsed, ApiError), answer.content
    assert (answer.status_code, answer.parsed.error.code) == (status, code)
    return answer.parsed


anybody = Client(base_url=API)


def as_user(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=API, token=token)


def signed_in() -> Response[ApiError | SignedIn]:
    return login.sync_detailed(client=anybody, body=LoginInput(email=EMAIL, password=PASSWORD))


def registered(email: str) -> Response[ApiError | SignedIn]:
    body = RegisterInput(email=email, password=PASSWORD)
    return register.sync_detailed(client=anybody, body=body)


assert good(registered(EMAIL)).user.email == EMAIL
bad(registered(EMAIL), 409, ErrorCode.EMAIL_TAKEN)
problems = bad(registered("ada"), 400, ErrorCode.VALIDATION_FAILED).error.details
assert not isinstance(problems, Unset)
assert problems[0].field == "email"
wrong = LoginInput(email=EMAIL, password="Wrong-12345")
bad(login.sync_detailed(client=anybody, body=wrong), 401, ErrorCode.INVALID_CREDENTIALS)
first = good(signed_in())
assert good(read_profile.sync_detailed(client=as_user(first.access_token))).name is None
body = RefreshInput(refresh_token=first.refresh_token)
tokens = good(refresh.sync_detailed(client=anybody, body=body))
ada = as_user(tokens.access_token)
named = update_profile.sync_detailed(client=ada, body=UpdateProfileInput(name="Zoë"))
assert good(named).name == "Zoë"
sessions = good(list_sessions.sync_detailed(client=ada)).sessions
assert [session.current for session in sessions].count(True) == 1
body = RefreshInput(refresh_token=tokens.refresh_token)
assert good(logout.sync_detailed(client=ada, body=body)).message == "Logged out"
bad(read_profile.sync_detailed(client=ada), 401, ErrorCode.INVALID_TOKEN)
answer = signed_in()
while not isinstance(answer.parsed, ApiError):
    answer = signed_in()
bad(answer, 429, ErrorCode.RATE_LIMITED)
assert int(answer.headers["retry-after"]) > 0
print("used")
