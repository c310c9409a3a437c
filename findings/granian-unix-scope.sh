#!/usr/bin/env bash
# Versions: Granian 2.8.9, uvicorn 0.54.0, Hypercorn 0.18.0, Daphne 4.2.3.
# Done: one request over a Unix socket to each, and printed the `client` and `server` of its scope.
# Came: Granian says client ["", "0"] and server [path, "0"]: a client that has an empty name, and
#   ports that are text. The three others say that there is no client.
# Expected: client is a pair of a text and a whole number, or nothing where there is none; the port of
#   a Unix socket is nothing. ASGI 3.0, HTTP, "HTTP connection scope". Who counts requests by
#   `client` counts everybody as one.
set -euo pipefail

folder=$(mktemp -d)
server=
cleanup() {
    if [[ -n "$server" ]]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap cleanup EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    granian==2.8.9 uvicorn==0.54.0 hypercorn==0.18.0 daphne==4.2.3
cat > "$folder/application.py" <<'PY'
import json


async def application(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
    body = json.dumps([scope.get("client"), scope.get("server")]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
PY
cat > "$folder/ask.py" <<'PY'
import http.client
import json
import socket
import sys
import time

PATH = sys.argv[1]


class OverUnix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(PATH)


until = time.monotonic() + 30
while True:
    connection = OverUnix("localhost")
    try:
        connection.request("GET", "/")
        break
    except OSError:
        if time.monotonic() > until:
            raise
        time.sleep(0.1)
client, server = json.loads(connection.getresponse().read())
print(json.dumps([client, [server[0].replace(PATH, "PATH"), server[1]] if server else server]))
PY
cd "$folder"
changed=0
# see NAME EXPECTED COMMAND...
see() {
    local name=$1 expected=$2 seen
    shift 2
    "venv/bin/$1" "${@:2}" >"$name.log" 2>&1 &
    server=$!
    seen=$(venv/bin/python ask.py "$folder/$name.socket")
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
    echo "$name: client and server $seen"
    if [[ "$seen" != "$expected" ]]; then echo "    this has changed: it was $expected"; changed=1; fi
}
see granian '[["", "0"], ["PATH", "0"]]' granian --interface asgi --uds "$folder/granian.socket" application:application
see uvicorn '[null, ["PATH", null]]' uvicorn --uds "$folder/uvicorn.socket" application:application
see hypercorn '[null, null]' hypercorn --bind "unix:$folder/hypercorn.socket" application:application
see daphne '[null, null]' daphne -u "$folder/daphne.socket" application:application
exit "$changed"
