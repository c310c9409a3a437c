#!/usr/bin/env bash
# Versions: requests 2.34.2, httpx 0.28.1, aiohttp 3.14.5.
# Done: asked a server for a page with each client's Digest authentication. The server's challenges
#   are of what RFC 7616 defines; they differ in the order of the qop values, in the letter case of
#   two names, and in a Basic challenge in a field before it.
# Came: all three answer the plain challenge only. requests sends no second request when auth-int
#   comes first; none takes a name with a capital letter (requests raises a KeyError); aiohttp looks
#   at the first field alone.
# Expected: an Authorization field each time. RFC 7616, section 3.3: qop lists what the server
#   supports, and its order has no meaning. RFC 9110, section 11.2: names of parameters are
#   case-insensitive; section 11.6.1: there may be several challenges, also in several fields.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.34.2 httpx==0.28.1 aiohttp==3.14.5
"$folder/venv/bin/python" - <<'PY'
import asyncio
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import aiohttp
import httpx
import requests

print(*(f"{name} {version(name)}" for name in ("requests", "httpx", "aiohttp")))
REST = 'algorithm=SHA-256, nonce="4d2a"'
CHALLENGES = {
    "plain": [f'Digest realm="here", qop="auth", {REST}'],
    "auth-int-first": [f'Digest realm="here", qop="auth-int, auth", {REST}'],
    "capital-names": [f'Digest Realm="here", Qop="auth", {REST}'],
    "basic-before": ['Basic realm="here"', f'Digest realm="here", qop="auth", {REST}'],
}
EXPECTED = {
    "plain": ("200", "200", "200"),
    "auth-int-first": ("401", "200", "200"),
    "capital-names": ("KeyError", "ProtocolError", "ClientError"),
    "basic-before": ("200", "200", "401"),
}


class Handler(BaseHTTPRequestHandler):
    """Challenge a request without credentials; welcome every one that brings an answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        answered = self.headers.get("Authorization", "").startswith("Digest ")
        self.send_response(200 if answered else 401)
        for challenge in [] if answered else CHALLENGES[self.path[1:]]:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def with_requests(url: str) -> int:
    return requests.get(url, auth=requests.auth.HTTPDigestAuth("ann", "secret"), timeout=10).status_code


def with_httpx(url: str) -> int:
    return httpx.get(url, auth=httpx.DigestAuth("ann", "secret")).status_code


def with_aiohttp(url: str) -> int:
    async def get() -> int:
        digest = aiohttp.DigestAuthMiddleware("ann", "secret")
        async with aiohttp.ClientSession(middlewares=(digest,)) as session, session.get(url) as response:
            return response.status

    return asyncio.run(get())


def outcome(get, url: str) -> str:
    try:
        return str(get(url))
    except Exception as error:
        return type(error).__name__


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
changed = False
for name, challenges in CHALLENGES.items():
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    seen = tuple(outcome(get, url) for get in (with_requests, with_httpx, with_aiohttp))
    print(*(f"WWW-Authenticate: {challenge}" for challenge in challenges), sep="\n")
    print(f"    requests {seen[0]}, httpx {seen[1]}, aiohttp {seen[2]}")
    if seen != EXPECTED[name]:
        print(f"    this has changed: it was {EXPECTED[name]}")
        changed = True
server.shutdown()
sys.exit(changed)
PY
