"""The HTTP envelope: what a client, a browser and the log see, whatever the endpoint does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.application import create_app
from app.config import load_settings
from app.errors import AppError, ErrorCode
from app.foundation.http.crash_guard import CRASH_MESSAGE, CrashGuardMiddleware
from app.foundation.http.paths import route_path
from app.foundation.http.request_body import declared_length, is_json
from app.foundation.http.request_context import RequestContextMiddleware, loggable_path
from app.foundation.http.request_head import MAX_ADDRESS, MAX_HEADERS

ORIGIN = "https://app.example.com"
LIMIT = 1024

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

Log = Callable[[], list[dict[str, Any]]]


@cache
def make_app(**values: Any) -> FastAPI:
    """Add endpoints that show what the envelope does to the application that ships.

    Made once for the same values, since it remembers nothing from one request to the next.
    """
    settings = load_settings(
        **{
            "_env_file": None,
            "environment": "test",
            "jwt_secret": "a-secret-that-no-test-uses",
            "cors_origins": ORIGIN,
            "allowed_hosts": "api.example.com,*.example.org,[::1]",
            "trusted_proxies": "",
            "max_body_bytes": LIMIT,
            "rate_limit_enabled": False,
            **values,
        }
    )
    app = create_app(settings)

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("boom with a secret")

    @app.get("/cached")
    async def cached(response: Response) -> None:
        response.headers["Cache-Control"] = "public, max-age=60"
        response.headers["Vary"] = "Accept"

    @app.api_route("/echo", methods=["GET", "POST", "DELETE"])
    async def echo(request: Request) -> dict[str, Any]:
        structlog.get_logger().info("inside")
        body = await request.body()
        return {"bytes": len(body), "client": request.state.client_address}

    return app


def connect(**values: Any) -> httpx.AsyncClient:
    return connect_to(make_app(**values))


def connect_to(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 5000))
    return httpx.AsyncClient(transport=transport, base_url="https://api.example.com")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with connect() as connected:
        yield connected


@pytest.fixture
async def proxied() -> AsyncIterator[httpx.AsyncClient]:
    """Through a proxy that is trusted, as far as request ids go."""
    async with connect(trusted_proxies="192.0.2.0/24") as connected:
        yield connected


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def error_code(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert {"code", "message"} <= error.keys() <= {"code", "message", "details"}
    return str(error["code"])


# Request ids and the access line


async def test_each_request_gets_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/echo")).headers["x-request-id"] for _ in range(3)}

    assert len(ids) == 3


async def test_a_well_formed_request_id_is_taken_over_from_a_proxy(
    proxied: httpx.AsyncClient,
) -> None:
    response = await proxied.get("/echo", headers={"X-Request-ID": "trace-1.2_3"})

    assert response.headers["x-request-id"] == "trace-1.2_3"


async def test_a_client_does_not_choose_its_request_id(client: httpx.AsyncClient, log: Log) -> None:
    """Or it could pass for another request, in each line that the id joins."""
    response = await client.get("/echo", headers={"X-Request-ID": "trace-1.2_3"})

    assert response.headers["x-request-id"] != "trace-1.2_3"
    assert {line["request_id"] for line in log()} == {response.headers["x-request-id"]}


@pytest.mark.parametrize("hostile", ["", "a" * 65, "a b", "a\tb", "id;x=1", "naïve", "<script>"])
async def test_a_malformed_request_id_is_replaced(proxied: httpx.AsyncClient, hostile: str) -> None:
    response = await proxied.get("/echo", headers=[(b"X-Request-ID", hostile.encode())])

    assert len(response.headers.get_list("x-request-id")) == 1
    assert response.headers["x-request-id"] != hostile


async def test_the_lines_of_probes_can_be_switched_off(log: Log) -> None:
    """What is refused there is logged all the same."""
    async with connect(log_health=False) as client:
        await client.get("/health")
        await client.head("/health")
        await client.put("/health")
        await client.get("/echo")

    lines = [line for line in log() if line["event"] == "http.request"]
    assert [(line["path"], line["status"]) for line in lines] == [("/health", 405), ("/echo", 200)]


async def test_a_request_has_one_access_line_and_its_id_on_every_line(
    proxied: httpx.AsyncClient, log: Log
) -> None:
    await proxied.get("/echo?token=a-secret", headers={"X-Request-ID": "abc"})

    inside, access = log()
    assert inside["event"] == "inside"
    assert inside["request_id"] == access["request_id"] == "abc"
    assert inside["client"] == "192.0.2.1"
    assert access.pop("duration_ms") >= 0
    assert {key: access[key] for key in ("event", "method", "path", "status", "client")} == {
        "event": "http.request",
        "method": "GET",
        "path": "/echo",
        "status": 200,
        "client": "192.0.2.1",
    }


async def test_what_one_request_bound_does_not_reach_the_next(
    client: httpx.AsyncClient, log: Log
) -> None:
    structlog.contextvars.bind_contextvars(user_id="somebody-else")

    await client.get("/echo")

    assert all("user_id" not in line for line in log())


def test_a_path_is_logged_without_what_may_be_a_token() -> None:
    assert loggable_path("/api/users/5b0f0b3e-6d0a-4c43-9f2a-1f1d2c3b4a59") == (
        "/api/users/5b0f0b3e-6d0a-4c43-9f2a-1f1d2c3b4a59"
    )
    assert loggable_path(f"/reset/{'t' * 43}/x") == "/reset/[redacted]/x"
    assert len(loggable_path("/a" * 5000)) == 256
    assert loggable_path("/" + "t" * 5000) == "/[redacted]"
    # Its end is beyond what is read, so nobody knows how long it is.
    assert loggable_path(f"/{'x' * 1000}/{'t' * 43}") == "/[redacted]/[redacted]"


async def test_a_client_that_hangs_up_is_no_error(
    log: Log,
) -> None:
    async def read_body(scope: Scope, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    app = RequestContextMiddleware(CrashGuardMiddleware(read_body))
    sent = await call(app, receive)

    assert sent == []
    assert [(line["event"], line["status"]) for line in log()] == [("http.request", 499)]


async def call(app: Any, receive: Any = None) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [],
        "client": ("192.0.2.1", 5000),
    }
    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize("scope_type", ["lifespan", "websocket"])
async def test_what_is_not_http_passes_untouched(scope_type: str) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.append(scope)

    layers: Any = app
    for layer in reversed(make_app(allowed_hosts="*").user_middleware):
        layers = layer.cls(layers, *layer.args, **layer.kwargs)
    await layers({"type": scope_type, "headers": []}, None, None)

    assert seen == [{"type": scope_type, "headers": []}]


# Crashes


async def test_a_crash_is_a_500_with_a_request_id_and_no_more(
    proxied: httpx.AsyncClient, log: Log
) -> None:
    response = await proxied.get("/crash", headers={"Origin": ORIGIN, "X-Request-ID": "abc"})

    assert response.status_code == 500
    assert response.json() == {
        "error": {
            "code": "internal_error",
            "message": CRASH_MESSAGE,
            "details": [{"field": "requestId", "message": "abc"}],
        }
    }
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["x-content-type-options"] == "nosniff"
    crash, access = log()
    assert crash["event"] == "http.crashed"
    assert 'RuntimeError("boom with a secret")' in crash["exception"]
    assert (access["event"], access["status"]) == ("http.request", 500)


async def test_a_crash_after_the_answer_began_leaves_it_truncated(
    log: Log,
) -> None:
    async def half(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    sent = await call(RequestContextMiddleware(CrashGuardMiddleware(half)))

    assert [message["type"] for message in sent] == ["http.response.start"]
    assert [line["event"] for line in log()] == ["http.crashed", "http.request"]


async def test_an_error_of_another_layer_keeps_its_meaning() -> None:
    async def refuse(scope: Scope, receive: Any, send: Any) -> None:
        raise AppError(403, ErrorCode.FORBIDDEN, "No.")

    start, body = await call(CrashGuardMiddleware(refuse))

    assert start["status"] == 403
    assert json.loads(body["body"]) == {"error": {"code": "forbidden", "message": "No."}}


# Security headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/echo", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/echo", 403),
        ("GET", "/crash", 500),
        ("OPTIONS", "/echo", 400),
    ],
)
async def test_every_answer_has_the_security_headers(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    response = await client.request(method, path, headers=headers)

    assert response.status_code == status
    assert {name: response.headers.get_list(name) for name in SECURITY_HEADERS} == {
        name: [value] for name, value in SECURITY_HEADERS.items()
    }


async def test_development_promises_no_https() -> None:
    """A browser would keep the promise for "localhost", on every port and for two years."""
    async with connect(environment="development") as client:
        for path in ("/echo", "/nowhere", "/docs"):
            assert "strict-transport-security" not in (await client.get(path)).headers


async def test_the_promise_of_https_may_leave_out_subdomains() -> None:
    async with connect(hsts_include_subdomains=False) as client:
        for path in ("/echo", "/docs"):
            response = await client.get(path)
            assert response.headers["strict-transport-security"] == "max-age=63072000"


async def test_an_endpoint_may_decide_about_caching(client: httpx.AsyncClient) -> None:
    response = await client.get("/cached")

    assert response.headers.get_list("cache-control") == ["public, max-age=60"]
    assert set(response.headers.get_list("vary")) == {"Accept", "Origin"}


async def test_only_the_documentation_may_load_scripts(client: httpx.AsyncClient) -> None:
    assert "script-src 'self'" in (await client.get("/docs")).headers["content-security-policy"]
    assert "script-src" not in (await client.get("/docs/")).headers["content-security-policy"]


# CORS


async def test_an_allowed_origin_may_read_answers(client: httpx.AsyncClient) -> None:
    response = await client.get("/echo", headers={"Origin": ORIGIN})

    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-expose-headers"] == ("ETag, Retry-After, X-Request-ID")
    assert response.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in response.headers


async def test_an_allowed_preflight_is_answered(client: httpx.AsyncClient) -> None:
    response = await preflight(client, ORIGIN)

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in response.headers["access-control-allow-methods"]
    assert "Authorization" in response.headers["access-control-allow-headers"]


async def preflight(
    client: httpx.AsyncClient, origin: str, method: str = "PATCH", header: str = "authorization"
) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": header,
    }
    return await client.options("/echo", headers=headers)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://app.example.com.evil.example",
        "https://evil-app.example.com",
        "https://app.example.comx",
        "https://app.example.com@evil.example",
    ],
)
async def test_a_foreign_origin_gets_nothing(client: httpx.AsyncClient, origin: str) -> None:
    simple = await client.get("/echo", headers={"Origin": origin})
    rejected = await preflight(client, origin)

    assert (simple.status_code, rejected.status_code) == (200, 400)
    assert error_code(rejected) == "cors_rejected"
    for response in (simple, rejected):
        assert not [name for name in response.headers if name.startswith("access-control-")]
        assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize(("method", "header"), [("TRACE", "authorization"), ("PATCH", "x-admin")])
async def test_a_preflight_for_more_than_is_offered_gets_the_lists(
    client: httpx.AsyncClient, method: str, header: str
) -> None:
    """The browser compares, and names the method or header; a 400 it blames on the origin."""
    response = await preflight(client, ORIGIN, method, header)

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert method not in response.headers["access-control-allow-methods"] or method == "PATCH"
    assert "x-admin" not in response.headers["access-control-allow-headers"].lower()


async def test_more_headers_may_be_allowed() -> None:
    async with connect(cors_headers="sentry-trace, Baggage,traceparent") as client:
        response = await preflight(client, ORIGIN, header="authorization,baggage,sentry-trace")

    allowed = response.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "baggage", "sentry-trace", "traceparent"} <= set(allowed)


APPS = (
    *("capacitor://localhost", "tauri://localhost", "ionic://localhost", "app://obsidian.md"),
    *("chrome-extension://abcdefghijklmnopabcdefghijklmnop", "http://tauri.localhost"),
)


@pytest.mark.parametrize("origin", APPS)
async def test_apps_are_origins_too(origin: str) -> None:
    async with connect(cors_origins=",".join(APPS)) as client:
        simple = await client.get("/echo", headers={"Origin": origin})
        answered = await preflight(client, origin)
        foreign = await preflight(client, f"{origin}x")

    assert (answered.status_code, foreign.status_code) == (200, 400)
    for response in (simple, answered):
        assert response.headers["access-control-allow-origin"] == origin


PREVIEWS = "https://*.example.com,https://*.preview.example.org:8443"


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "https://pr-7.app.example.com",
        "https://a.b.c.d.example.com",
        "https://x_1.preview.example.org:8443",
    ],
)
async def test_a_star_is_any_subdomain(origin: str) -> None:
    async with connect(cors_origins=PREVIEWS) as client:
        simple = await client.get("/echo", headers={"Origin": origin})
        answered = await preflight(client, origin)

    assert answered.status_code == 200
    for response in (simple, answered):
        assert response.headers["access-control-allow-origin"] == origin
        assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "https://.example.com",
        "https://a..example.com",
        "https://evilexample.com",
        "https://app.example.com.evil.example",
        "https://app.exampleXcom",
        "https://evil.example/.example.com",
        "https://evil.example#.example.com",
        "https://evil.example:1@app.example.com",
        "https://app.example.com:444",
        "https://x.preview.example.org",
        "http://app.example.com",
        "https://*.example.com",
        "null",
        "https://" + "a." * 8000 + "example.org",
    ],
)
async def test_a_look_alike_of_a_subdomain_gets_nothing(origin: str) -> None:
    async with connect(cors_origins=PREVIEWS) as client:
        simple = await client.get("/echo", headers={"Origin": origin})
        rejected = await preflight(client, origin)

    assert (simple.status_code, rejected.status_code) == (200, 400)
    for response in (simple, rejected):
        assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("status", "path", "cookie"),
    [(414, "/" + "a" * MAX_ADDRESS, ""), (431, "/", "a" * MAX_HEADERS)],
)
async def test_a_page_can_read_that_its_request_was_too_long(
    client: httpx.AsyncClient, status: int, path: str, cookie: str
) -> None:
    response = await client.get(path, headers={"Origin": ORIGIN, "Cookie": cookie})

    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == ORIGIN


async def test_any_origin_never_means_any_origin_with_credentials() -> None:
    async with connect(cors_origins="*") as client:
        response = await client.get("/echo", headers={"Origin": "https://anyone.example"})
        without_origin = await client.get("/echo")

    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    assert "access-control-allow-origin" not in without_origin.headers


async def test_options_that_is_no_preflight_reaches_the_routes(client: httpx.AsyncClient) -> None:
    response = await client.options("/echo", headers={"Origin": ORIGIN})

    assert response.status_code == 405
    assert response.headers["access-control-allow-origin"] == ORIGIN


# Hosts


@pytest.mark.parametrize(
    "host",
    ["api.example.com", "API.EXAMPLE.COM", "api.example.com:8000", "a.b.example.org", "[::1]:80"],
)
async def test_an_allowed_host_is_served(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/echo", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "",
        "example.org",
        "evilexample.org",
        "api.example.com.evil.example",
        "api.example.com@evil.example",
        "evil.example/api.example.com",
        "api.example.com:80:80",
        "api.example.com:x",
        "api.example.com evil.example",
        "a" * 300 + ".example.org",
    ],
)
async def test_another_host_is_refused_and_not_redirected(
    client: httpx.AsyncClient, host: str
) -> None:
    response = await client.get("/echo", headers={"Host": host})

    assert response.status_code == 400
    assert error_code(response) == "invalid_host"
    assert "location" not in response.headers


async def test_a_final_dot_of_a_host_is_no_other_host() -> None:
    """In the request, or in the setting: it only says that the name is complete."""
    for allowed in ("api.example.com,*.example.org", "api.example.com.,*.example.org."):
        async with connect(allowed_hosts=allowed) as client:
            for host in (
                "api.example.com.",
                "API.example.com.:443",
                "a.example.org.",
                "a.example.org",
            ):
                assert (await client.get("/echo", headers={"Host": host})).status_code == 200, host
            for host in ("api.example.com..", ".", "evil.example."):
                assert (await client.get("/echo", headers={"Host": host})).status_code == 400, host


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health_is_told_whatever_the_host(client: httpx.AsyncClient, method: str) -> None:
    """A balancer asks an address for its health, and can't always be told another name."""
    for host in ("10.0.0.7:8000", "evil.example", "", "a b"):
        for path in ("/health", "/health/ready"):
            answer = await client.request(method, path, headers={"Host": host})
            assert error_code_or_none(answer) != "invalid_host"
        for path in ("/health/", "/health/x", "//health", "/echo"):
            refused = await client.request("GET", path, headers={"Host": host})
            assert error_code(refused) == "invalid_host"


def error_code_or_none(response: httpx.Response) -> str | None:
    if response.status_code < 400 or not response.content:
        return None
    return error_code(response)


async def test_two_hosts_are_one_too_many(client: httpx.AsyncClient) -> None:
    hosts = [("Host", "api.example.com"), ("Host", "api.example.com")]

    assert error_code(await client.get("/echo", headers=hosts)) == "invalid_host"


async def test_any_host_may_be_allowed() -> None:
    async with connect(allowed_hosts="*") as client:
        response = await client.get("/echo", headers={"Host": "whatever.example"})

    assert response.status_code == 200


# HEAD


@pytest.mark.parametrize(
    "path", ["/echo", "/health", "/openapi.json", "/docs", "/nowhere", "/crash", "/api/auth/login"]
)
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    got, head = await client.get(path), await client.head(path)

    assert head.status_code == got.status_code
    assert head.content == b""
    changing = {"x-request-id", "date"}
    assert {name: value for name, value in head.headers.items() if name not in changing} == {
        name: value for name, value in got.headers.items() if name not in changing
    }


async def test_head_of_what_only_posts_is_a_405(client: httpx.AsyncClient) -> None:
    refused = await client.head("/api/auth/login")

    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


async def test_a_head_is_logged_as_what_it_is(client: httpx.AsyncClient, log: Log) -> None:
    await client.head("/health")

    [line] = log()
    assert (line["method"], line["path"], line["status"]) == ("HEAD", "/health", 200)


async def test_a_route_that_answers_head_itself_does(client: httpx.AsyncClient) -> None:
    app = make_app(app_name="with a HEAD of its own")

    @app.api_route("/stock/{item}", methods=["HEAD"])
    async def in_stock(item: str) -> Response:
        return Response(status_code=204, headers={"X-Item": item})

    async with connect_to(app) as own:
        answer = await own.head("/stock/7")
    assert (answer.status_code, answer.headers["x-item"]) == (204, "7")


# Under a prefix


@pytest.mark.parametrize("prefix", ["", "/svc", "/a/b"])
async def test_everything_works_under_a_prefix(prefix: str) -> None:
    """A proxy serves the API under `/svc` (`--root-path`), or another application mounts it."""
    mounted = Starlette(routes=[Mount(prefix, make_app())])
    async with connect_to(mounted) as client:
        for page in ("/docs", "/redoc"):
            policy = (await client.get(prefix + page)).headers["content-security-policy"]
            assert "script-src 'self'" in policy
        other = await client.get(f"{prefix}/echo")
        assert (other.status_code, other.headers["content-security-policy"]) == (
            200,
            SECURITY_HEADERS["content-security-policy"],
        )
        probe = await client.get(f"{prefix}/health", headers={"Host": "10.0.0.7"})
        assert probe.status_code == 200
        assert (await client.head(f"{prefix}/echo")).status_code == 200


async def test_a_path_that_only_begins_like_the_prefix_is_not_under_it() -> None:
    scope: Scope = {"type": "http", "path": "/svc/docs", "root_path": "/svc"}
    assert route_path(scope) == "/docs"
    assert route_path({**scope, "path": "/svcdocs"}) == "/svcdocs"
    assert route_path({**scope, "path": "/docs"}) == "/docs"
    assert route_path({**scope, "root_path": ""}) == "/svc/docs"


# A Unix socket


async def test_who_comes_by_an_untrusted_unix_socket_is_warned_of_once(log: Log) -> None:
    def by_unix_socket(**values: Any) -> httpx.AsyncClient:
        app = make_app(app_name="on a Unix socket", **values)

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            where = {"client": None, "server": ("/run/api.sock", None)}
            await app({**scope, **where}, receive, send)

        return connect_to(served)

    forwarded = {"X-Forwarded-For": "198.51.100.7"}
    async with by_unix_socket() as client:
        clients = [
            (await client.get("/echo", headers=forwarded)).json()["client"] for _ in range(2)
        ]
        assert clients == ["unknown", "unknown"]
    [warning] = [line for line in log() if line["event"] == "settings.risk"]
    assert warning["setting"] == "TRUSTED_PROXIES"
    assert '"unix"' in warning["risk"]

    async with by_unix_socket(trusted_proxies="unix") as client:
        assert (await client.get("/echo", headers=forwarded)).json()["client"] == "198.51.100.7"
    assert "settings.risk" not in {line["event"] for line in log()}


# Request bodies


async def chunks(size: int, sent: list[int]) -> AsyncIterator[bytes]:
    """Stream a body in pieces of 512 bytes, which makes it chunked, and note what was taken."""
    for _ in range(size // 512):
        sent.append(512)
        yield b" " * 512


async def test_a_body_up_to_the_limit_is_accepted(client: httpx.AsyncClient) -> None:
    json_type = {"Content-Type": "application/json"}
    whole = await client.post("/echo", content=b" " * LIMIT, headers=json_type)
    chunked = await client.post("/echo", content=chunks(LIMIT, []), headers=json_type)

    assert whole.json()["bytes"] == chunked.json()["bytes"] == LIMIT


async def test_a_body_that_says_it_is_too_large_is_refused_unread(
    client: httpx.AsyncClient,
) -> None:
    sent: list[int] = []
    headers = {"Content-Type": "application/json", "Content-Length": str(LIMIT * 8)}
    response = await client.post("/echo", content=chunks(LIMIT * 8, sent), headers=headers)

    assert (response.status_code, error_code(response)) == (413, "body_too_large")
    assert sent == []


@pytest.mark.parametrize("declared", [{}, {"Content-Length": "1"}, {"Content-Length": "junk"}])
async def test_a_body_that_grows_too_large_is_cut_off(
    client: httpx.AsyncClient, declared: dict[str, str]
) -> None:
    sent: list[int] = []
    headers = {"Content-Type": "application/json", **declared}
    response = await client.post("/echo", content=chunks(LIMIT * 100, sent), headers=headers)

    assert (response.status_code, error_code(response)) == (413, "body_too_large")
    assert sum(sent) <= LIMIT + 512


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/problem+json",
        "text/plain; application/json",
        "application/json, text/plain",
        "",
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_not_json_is_refused(
    client: httpx.AsyncClient, content_type: str, chunked: bool
) -> None:
    content = chunks(512, []) if chunked else b"{}"
    headers = {"Content-Type": content_type}
    response = await client.post("/echo", content=content, headers=headers)

    assert (response.status_code, error_code(response)) == (415, "unsupported_media_type")


async def test_a_body_without_a_type_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/echo", content=b"{}")).status_code == 415


async def test_an_empty_chunked_body_is_no_body(client: httpx.AsyncClient) -> None:
    """Some clients and proxies send one with each request, GET included."""

    async def nothing() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b""

    for method in ("GET", "POST", "DELETE"):
        for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}):
            answer = await client.request(method, "/echo", content=nothing(), headers=headers)
            assert (answer.status_code, answer.json()["bytes"]) == (200, 0)


async def test_a_chunked_body_of_another_type_is_refused_at_its_first_bytes(
    client: httpx.AsyncClient,
) -> None:
    sent: list[int] = []
    refused = await client.request("GET", "/echo", content=chunks(LIMIT * 8, sent))

    assert (refused.status_code, error_code(refused)) == (415, "unsupported_media_type")
    assert sum(sent) == 512


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, identity", "x"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_compressed_body_is_refused(
    client: httpx.AsyncClient, encoding: str, chunked: bool
) -> None:
    content = chunks(512, []) if chunked else b"{}"
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    response = await client.post("/echo", content=content, headers=headers)

    assert (response.status_code, error_code(response)) == (415, "unsupported_media_type")
    assert response.headers["accept-encoding"] == "identity"  # RFC 7694 §3
    plain = {"Content-Type": "application/json", "Content-Encoding": "Identity"}
    assert (await client.post("/echo", content=b"{}", headers=plain)).status_code == 200


async def test_no_body_needs_no_type(client: httpx.AsyncClient) -> None:
    assert (await client.post("/echo")).status_code == 200
    assert (await client.delete("/echo")).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;",
    ],
)
def test_json_may_carry_parameters(content_type: str) -> None:
    assert is_json(content_type.encode())


@given(st.binary())
def test_only_json_is_json(content_type: bytes) -> None:
    media_type = content_type.split(b";")[0].strip().lower()

    assert is_json(content_type) == (media_type == b"application/json")


@given(st.binary() | st.integers(min_value=0).map(lambda n: str(n).encode()))
def test_any_declared_length_is_read_without_an_error(value: bytes) -> None:
    length = declared_length(value)

    assert length == 0 or (value.isdigit() and 0 < length < 10**18)


@pytest.mark.parametrize(
    ("value", "too_large"),
    [(b"1025", True), (b"0001024", False), (b"9" * 5000, True), (b"0" * 5000 + b"7", False)],
)
def test_a_length_of_any_number_of_digits_is_compared(value: bytes, too_large: bool) -> None:
    assert (declared_length(value) > LIMIT) is too_large


# The whole of it, under load


async def test_requests_at_once_do_not_mix(proxied: httpx.AsyncClient, log: Log) -> None:
    ids = [f"id-{number}" for number in range(50)]
    responses = await asyncio.gather(
        *(proxied.get("/echo", headers={"X-Request-ID": request_id}) for request_id in ids)
    )

    assert [response.headers["x-request-id"] for response in responses] == ids
    lines = [line["request_id"] for line in log()]
    assert sorted(lines) == sorted(ids * 2)
