#!/usr/bin/env bash
# Versions: Hypercorn 0.18.0.
# Done: gave ProxyFixMiddleware(mode="modern"), which reads the Forwarded field, elements that are
#   examples of RFC 7239 or differ from them in the letter case of a name only.
# Came: a parameter whose name is not in lower case is not seen. A quoted value keeps its quotes:
#   the address of the client is '"[2001:db8:cafe::17]:4711"', the Host field is '"example.com:8443"'.
# Expected: RFC 7239, section 4: names are case-insensitive (one of its examples has For=), and a
#   value with a colon or brackets has to be a quoted string; section 6: the port is not part of the
#   address. The ASGI specification wants a host and a port in scope["client"].
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check hypercorn==0.18.0
"$folder/venv/bin/python" - <<'PY'
import asyncio
import sys
from importlib.metadata import version

from hypercorn.middleware import ProxyFixMiddleware

print("hypercorn", version("hypercorn"))
CASES = {
    # As expected, so that the rest can't be blamed on the call.
    'for=192.0.2.60;proto=https;host=example.com': (("192.0.2.60", 0), "https", "example.com"),
    'For="[2001:db8:cafe::17]:4711"': (("127.0.0.1", 1), "http", "inner"),
    'for="[2001:db8:cafe::17]:4711"': (('"[2001:db8:cafe::17]:4711"', 0), "http", "inner"),
    'for=192.0.2.60;Proto=https;host="example.com:8443"': (("192.0.2.60", 0), "http", '"example.com:8443"'),
}


async def read(field: str):
    seen = []

    async def app(scope, receive, send):
        host = [value.decode() for name, value in scope["headers"] if name == b"host"]
        seen.append((tuple(scope["client"]), scope["scheme"], *host))

    scope = {
        "type": "http",
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "headers": [(b"host", b"inner"), (b"forwarded", field.encode())],
    }
    await ProxyFixMiddleware(app, mode="modern", trusted_hops=1)(scope, None, None)
    return seen[0]


changed = False
for field, expected in CASES.items():
    seen = asyncio.run(read(field))
    print(f"Forwarded: {field}\n    (client, scheme, Host) = {seen}")
    if seen != expected:
        print(f"    this has changed: it was {expected}")
        changed = True
sys.exit(changed)
PY
