#!/usr/bin/env bash
# Versions: uvicorn 0.54.0, httptools 0.9.0, h11 0.16.0.
# Done: sent one POST with a body of five bytes twice, the second time with an offer to go on in
#   HTTP/2 (Upgrade: h2c), to uvicorn with each of its two HTTP implementations.
# Came: with h11 the application gets five bytes both times; with httptools (which is used when it
#   is installed) it gets none of the request with the offer, and answers 200 to an empty body.
# Expected: five bytes each time. RFC 9110, section 7.8: a server may ignore an Upgrade field, and
#   then goes on in the protocol in use, in which Content-Length says that five bytes follow.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0
"$folder/venv/bin/python" - <<'PY'
import asyncio
import sys
from importlib.metadata import version

import uvicorn

print(*(f"{name} {version(name)}" for name in ("uvicorn", "httptools", "h11")))
OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


async def app(scope, receive, send):
    """Answer with the number of bytes of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    answer = str(size).encode()
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def post(port: int, offer: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n{offer}\r\nhello".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    body = await asyncio.wait_for(reader.readexactly(1), 10)
    writer.close()
    return f"{head.split(b' ')[1].decode()} {body.decode()}"


async def try_with(http: str) -> tuple[str, str]:
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, http=http, ws="none", lifespan="off", log_level="error")
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    seen = await post(port, ""), await post(port, OFFER)
    server.should_exit = True
    await serving
    return seen


seen = {}
for http in ("h11", "httptools"):
    seen[http] = asyncio.run(try_with(http))
    print(f"{http}: (status, bytes that the application got) = {seen[http][0]}, with the offer {seen[http][1]}")
if seen["h11"] != ("200 5", "200 5"):
    sys.exit("this has changed: h11 gave the application both bodies")
if seen["httptools"] != ("200 5", "200 0"):
    sys.exit("this has changed: httptools gave the application no body of the request with the offer")
PY
