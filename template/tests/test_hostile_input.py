"""What no honest client sends: a 4xx in the one format, never a 500, and never the input back."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.dependencies import access_claims
from app.foundation.http.hosts import AllowedHostsMiddleware
from tests.helpers import GIVE_UP_SECONDS, Account, connect, error_code, signer_with

CANARY = "Canary-echo-7"
"""Stands in every hostile body, as a key or as a value. No answer repeats it."""

JSON = {"Content-Type": "application/json"}

ROUTES = [
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/forgot-password"),
    ("POST", "/api/auth/reset-password"),
    ("PATCH", "/api/users/me"),
    ("POST", "/api/users/me/change-password"),
]
"""Every endpoint with a body, except the admin's."""

FIELDS = {
    "email": CANARY,
    "password": CANARY,
    "currentPassword": CANARY,
    "newPassword": CANARY,
    "token": CANARY,
    "refreshToken": CANARY,
    "name": CANARY,
}


def nested(depth: int) -> bytes:
    return b'{"email":' * depth + b'"' + CANARY.encode() + b'"' + b"}" * depth


HOSTILE_BODIES = {
    "empty": b" ",
    "null": b"null",
    "array": f'["{CANARY}"]'.encode(),
    "string": f'"{CANARY}"'.encode(),
    "number": b"1",
    "true": b"true",
    "not JSON": f"{CANARY}".encode(),
    "cut off": f'{{"password": "{CANARY}'.encode(),
    "twice": f'{{"password": "{CANARY}"}} {{}}'.encode(),
    "NaN": f'{{"{CANARY}": NaN, "password": NaN}}'.encode(),
    "Infinity": f'{{"{CANARY}": -Infinity, "email": Infinity}}'.encode(),
    "huge integer": b'{"email": ' + b"9" * 5000 + b"}",
    "huge float": b'{"email": 1e999999}',
    "invalid UTF-8": b'{"email": "\xff\xfe' + CANARY.encode() + b'"}',
    "UTF-16": f'{{"email": "{CANARY}"}}'.encode("utf-16"),
    "overlong UTF-8": b'{"email": "\xc0\x80' + CANARY.encode() + b'"}',
    "byte order mark": b"\xef\xbb\xbf" + f'{{"email": "{CANARY}"}}'.encode(),
    "deep arrays": b"[" * 30_000,
    "deep objects": nested(5_000),
    "unknown field": f'{{"{CANARY}": "{CANARY}"}}'.encode(),
    "prototype": b'{"__proto__": {"role": "admin"}, "constructor": 1}',
}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_hostile_body_is_refused_everywhere(
    client: httpx.AsyncClient, ada: Account, method: str, path: str
) -> None:
    for name, body in HOSTILE_BODIES.items():
        response = await client.request(method, path, content=body, headers=JSON | ada.headers)
        assert response.status_code == 400, (name, response.text)
        assert error_code(response) in {"invalid_json", "validation_failed"}
        assert CANARY not in response.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
async def test_json_in_another_encoding_is_refused(
    client: httpx.AsyncClient, encoding: str
) -> None:
    """Otherwise it is all right: Python's parser would take it."""
    body = json.dumps({"email": "eve@example.com", "password": "Correct-Horse-9"}).encode(encoding)
    response = await client.post("/api/auth/register", content=body, headers=JSON)

    assert (response.status_code, error_code(response)) == (400, "invalid_json")


HOSTILE_TEXTS = {
    "NUL": "Canary-\x00echo-7",
    "only NUL": "\x00",
    "lone surrogate": "Canary-\ud800echo-7",
    "line break": "Canary-\r\necho-7",
    "escape": "Canary-\x1b[2Jecho-7",
    "right to left": "Canary-\u202eecho-7",
    "noncharacter": "Canary-\uffffecho-7",
    "long": CANARY * 1000,
    "many bytes": "🔒" * 10_000,
    "expands when normalised": "\ufdfa" * 100,
    "template": "{{7*7}}${7*7}<script>",
    "SQL": "' OR 1=1; DROP TABLE users; --",
    "path": "../../../../etc/passwd",
    "format": "%s%n{0}{__class__}",
}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_hostile_text_in_any_field_is_no_crash_and_no_echo(
    client: httpx.AsyncClient, ada: Account, method: str, path: str
) -> None:
    for name, text in HOSTILE_TEXTS.items():
        for field in valid_body(path, ada):
            body = json.dumps(valid_body(path, ada) | {field: text}).encode()
            response = await client.request(method, path, content=body, headers=JSON | ada.headers)
            assert response.status_code < 500, (name, field, response.text)
            if response.status_code >= 400:
                error_code(response)
                assert text not in response.text
                assert CANARY not in response.text


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_value_of_another_type_is_refused(
    client: httpx.AsyncClient, ada: Account, method: str, path: str
) -> None:
    for value in (0, -1, 1.5, True, None, [], {}, [CANARY], {CANARY: CANARY}):
        for field in set(valid_body(path, ada)) - ({"name"} if value is None else set()):
            body = valid_body(path, ada) | {field: value}
            response = await client.request(method, path, json=body, headers=ada.headers)
            assert response.status_code == 400, (value, field, response.text)
            [problem] = response.json()["error"]["details"]
            assert problem["field"] == field
            assert CANARY not in response.text


def valid_body(path: str, account: Account) -> dict[str, Any]:
    """What the endpoint would take, or at least the right fields."""
    fields: dict[str, dict[str, Any]] = {
        "register": {"email": "eve@example.com", "password": "Correct-Horse-9", "name": "Eve"},
        "login": account.credentials,
        "refresh": {"refreshToken": "x"},
        "logout": {"refreshToken": "x"},
        "forgot-password": {"email": "eve@example.com"},
        "reset-password": {"token": "x", "newPassword": "Correct-Horse-9"},
        "me": {"name": "Ada", "email": account.email},
        "change-password": {"currentPassword": "x", "newPassword": "Correct-Horse-9"},
    }
    return fields[path.rpartition("/")[2]]


async def test_nobody_assigns_what_is_not_theirs(client: httpx.AsyncClient, ada: Account) -> None:
    for field in ("role", "isActive", "is_active", "id", "passwordHash", "createdAt"):
        for method, path in ROUTES:
            body = valid_body(path, ada) | {field: "admin"}
            response = await client.request(method, path, json=body, headers=ada.headers)
            assert error_code(response) == "validation_failed", (path, field)
            assert f'"{field}"' not in response.text


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*FIELDS]) | st.text(), inner),
)


@given(
    route=st.sampled_from(ROUTES[:3]),
    body=st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode()),
)
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
async def test_no_body_at_all_is_a_crash(app: FastAPI, route: tuple[str, str], body: bytes) -> None:
    async with connect(app) as client:
        response = await client.request(*route, content=body, headers=JSON)
    assert 400 <= response.status_code < 500, response.text
    error_code(response)


NOT_JSON = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json/x",
    "text/json",
    "application/xml",
    "*/*",
    "",
    "json",
)


async def test_only_json_is_read(client: httpx.AsyncClient) -> None:
    for media_type in NOT_JSON:
        for method, path in ROUTES:
            response = await client.request(
                method, path, content=json.dumps(FIELDS), headers={"Content-Type": media_type}
            )
            assert response.status_code == 415, media_type
            assert error_code(response) == "unsupported_media_type"
            assert CANARY not in response.text


async def test_json_is_json_however_it_is_spelled(client: httpx.AsyncClient) -> None:
    for media_type in ("application/json", "APPLICATION/JSON; charset=utf-8"):
        body, headers = b'{"email": "ada@example.com"}', {"Content-Type": media_type}
        response = await client.post("/api/auth/forgot-password", content=body, headers=headers)
        assert response.status_code == 200, media_type


async def test_a_large_body_is_refused_by_its_length_and_by_its_bytes(
    client: httpx.AsyncClient,
) -> None:
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 10_000

    by_length = await client.post("/api/auth/login", content=b" " * 65_537, headers=JSON)
    chunked = await client.post("/api/auth/login", content=stream(), headers=JSON)
    for response in (by_length, chunked):
        assert (response.status_code, error_code(response)) == (413, "body_too_large")


async def test_a_body_of_just_the_limit_is_read(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/auth/login", content=b"{}".ljust(65_536), headers=JSON)

    assert error_code(response) == "validation_failed"


HOSTILE_IDENTIFIERS = (
    "0",
    "%00",
    "%FF%FE",
    "..%2f..",
    "me%00",
    "'",
    "1%20OR%201=1",
    CANARY,
    "A" * 5000,
    "%F0%9F%94%92",
    "00000000-0000-0000-0000-00000000000g",
    "%0D%0ASet-Cookie:x=1",
)


async def test_a_hostile_identifier_is_refused(client: httpx.AsyncClient, admin: Account) -> None:
    for identifier in HOSTILE_IDENTIFIERS:
        for method, path in (
            ("GET", "/api/users/"),
            ("PATCH", "/api/users/"),
        ):
            body: dict[str, str] | None = {} if method == "PATCH" else None
            response = await client.request(
                method, path + identifier, json=body, headers=admin.headers
            )
            assert response.status_code in {400, 404}, (identifier, response.text)
            assert error_code(response) in {"validation_failed", "not_found"}
            assert CANARY not in response.text


HOSTILE_PAGES = (
    "limit=0",
    "limit=-1",
    "limit=101",
    "limit=1e3",
    "limit=",
    "limit=%00",
    f"limit={CANARY}",
    f"limit={'9' * 5000}",
    "offset=-1",
    "offset=99999999999999999999",
    "offset=NaN",
)


async def test_a_hostile_page_is_refused(client: httpx.AsyncClient, admin: Account) -> None:
    for query in HOSTILE_PAGES:
        response = await client.get(f"/api/users?{query}", headers=admin.headers)
        assert error_code(response) == "validation_failed", query
        assert CANARY not in response.text


async def test_no_trailing_slash_redirects(client: httpx.AsyncClient, ada: Account) -> None:
    for method, path in [
        *ROUTES,
        ("GET", "/api/users/me"),
        ("GET", "/health"),
        ("GET", "/api/users"),
    ]:
        for wrong in (f"{path}/", f"/{path}", path.upper(), f"{path};x", f"{path}%2f"):
            response = await client.request(
                method,
                f"https://api.example.com{wrong}",
                json={} if method != "GET" else None,
                headers={**ada.headers, "Host": "evil.example"},
            )
            assert response.status_code in {400, 403, 404}, (wrong, response.status_code)
            assert "location" not in response.headers
            assert "evil" not in response.text


async def test_a_method_that_is_not_there_is_405_with_allow(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        url = path.replace("{user_id}", "x").replace("{session_id}", "x")
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {o.upper() for o in operations}:
            response = await client.request(method, url)
            assert (response.status_code, error_code(response)) == (405, "method_not_allowed")
            assert {m.strip() for m in response.headers["allow"].split(",")} >= {
                operation.upper() for operation in operations
            }


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda value: b"Bearer " + value))
def test_no_authorization_header_crashes_its_reader(value: bytes) -> None:
    signer = signer_with("a-secret-that-signs-nothing")

    assert access_claims({"headers": [(b"authorization", value)]}, signer) is None


@given(st.binary(max_size=300))
def test_no_host_header_crashes_its_reader(host: bytes) -> None:
    middleware = AllowedHostsMiddleware(FastAPI(), {"api.example.com", "*.example.org"})

    if middleware.is_allowed(host):
        name = host.partition(b":")[0].lower()
        assert name == b"api.example.com" or name.endswith(b".example.org")


HOSTILE_AUTHORIZATIONS = (
    "",
    "Bearer",
    "Bearer ",
    "Bearer  x",
    "bearer x y",
    "Bearer ünïcode",
    f"Bearer {'x' * 10_000}",
    "Basic dXNlcjpwYXNz",
    "Digest x",
    "Bearer a.b.c",
    "Bearer ..",
    "\x80\xff",
)


async def test_a_hostile_authorization_is_401(client: httpx.AsyncClient) -> None:
    for authorization in HOSTILE_AUTHORIZATIONS:
        header = {b"Authorization": authorization.encode("latin-1")}
        response = await client.get("/api/users/me", headers=header)
        assert response.status_code == 401, authorization
        assert error_code(response) == "invalid_token"
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


FOREIGN_ORIGINS = (
    "https://evil.example",
    "null",
    "https://app.example.com.evil.example",
    "https://evilapp.example.com",
    "https://app.example.com:8443",
    "http://app.example.com",
    "https://app.example.com/",
    "https://app.example.com@evil.example",
    "https://app.example.com.",
    "https://app.example.co",
    "app.example.com",
    "",
    "*",
    "file://",
    "https://app.example.com%00",
)


async def test_a_foreign_origin_gets_nothing(start: Callable[..., Awaitable[FastAPI]]) -> None:
    app = await start(cors_origins="https://app.example.com")
    async with connect(app) as client:
        for origin in FOREIGN_ORIGINS:
            asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            plain = await client.get("/health", headers={"Origin": origin})
            preflight = await client.options("/api/auth/login", headers=asking)
            for response in (plain, preflight):
                names = response.headers.keys()
                assert not [name for name in names if name.startswith("access-control-")], origin
            assert (preflight.status_code, error_code(preflight)) == (400, "cors_rejected")


MALFORMED = {
    "no version": b"GET /docs\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "wrong version": b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
    "NUL in the path": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
    "folded header": b"GET /health HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    "space before colon": b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
    "two lengths": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    b"Content-Length: 3\r\nContent-Type: application/json\r\n\r\n{}",
    "length and chunks": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "negative length": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "bad chunk": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/json\r\n\r\nzz\r\n",
}

REFUSED_BY_US = {
    "two hosts": b"GET /docs HTTP/1.1\r\nHost: api.example.com\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET /docs HTTP/1.1\r\n\r\n",
    "no host, 1.0": b"GET /docs HTTP/1.0\r\n\r\n",
    "foreign host": b"GET /docs HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "host and userinfo": b"GET /docs HTTP/1.1\r\nHost: api.example.com@evil.example\r\n\r\n",
    "host and path": b"GET /docs HTTP/1.1\r\nHost: api.example.com/x\r\n\r\n",
    "absolute URL": b"GET http://evil.example/docs HTTP/1.1\r\nHost: evil.example\r\n\r\n",
}

TWO_TOKENS = (
    b"GET /api/users/me HTTP/1.1\r\nHost: api.example.com\r\n"
    b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"
)

CUT_OFF = (
    b"POST /api/auth/login HTTP/1.1\r\nHost: api.example.com\r\n"
    b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
)

WELL_FORMED = b"GET /health HTTP/1.1\r\nHost: api.example.com\r\n\r\n"


async def test_a_malformed_request_is_refused_and_the_next_one_served(
    start: Callable[..., Awaitable[FastAPI]], capsys: pytest.CaptureFixture[str]
) -> None:
    app = await start(allowed_hosts="api.example.com,*.example.org")
    async with listening(app) as port:
        for name, request in {**MALFORMED, **REFUSED_BY_US}.items():
            assert await raw_status(port, request) == 400, name
        assert await raw_status(port, TWO_TOKENS) == 401
        assert await raw_status(port, WELL_FORMED) == 200

    log = capsys.readouterr().out
    assert "http.request" in log
    assert "http.crashed" not in log


async def test_who_hangs_up_midway_sent_no_bad_request(
    app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    """The framework makes a 400 of it, which nobody reads, and which the log would believe."""
    async with listening(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CUT_OFF)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert await raw_status(port, WELL_FORMED) == 200  # so the other one was read before

    [line] = [line for line in capsys.readouterr().out.splitlines() if "/api/auth/login" in line]
    assert json.loads(line)["status"] == 499


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[int]:
    """uvicorn on a socket, in this process; gives its port."""
    config = uvicorn.Config(app, "127.0.0.1", 0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def raw_status(port: int, request: bytes) -> int:
    """Send bytes as they are; returns the status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    line = await asyncio.wait_for(reader.readline(), GIVE_UP_SECONDS)
    writer.close()
    return int(line.split()[1])
