#!/usr/bin/env bash
# Versions: CacheControl 0.14.4 with requests 2.34.2; http-cache-semantics 4.3.0, parse-cache-control
#   1.0.1 and @tusbar/cache-control 3.0.1 (npm).
# Done: let each keep an answer for a minute, with `max-age` in the forms that a server may send: as
#   usual, in capitals, quoted, and with a comma at the end of the list.
# Came: in capitals, three of four see no age, so the answer is asked for again each time; quoted,
#   CacheControl sees none; with the last comma, parse-cache-control reads nothing at all.
#   @tusbar/cache-control reads all four.
# Expected: a minute, four times. RFC 9111, section 5.2: directives are compared without case, and
#   arguments are taken in both forms, as token and quoted; RFC 9110, section 5.6.1.2: empty elements of
#   a list are passed over.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund \
    http-cache-semantics@4.3.0 parse-cache-control@1.0.1 @tusbar/cache-control@3.0.1
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cachecontrol==0.14.4 requests==2.34.2
cat > "$folder/read.cjs" <<'JS'
const Policy = require("http-cache-semantics");
const parse = require("parse-cache-control");
const tusbar = require("@tusbar/cache-control");
const ages = (value) => ({
  "http-cache-semantics": new Policy(
    { url: "/", method: "GET", headers: {} },
    { status: 200, headers: { "cache-control": value } },
  ).maxAge(),
  "parse-cache-control": parse(value)?.["max-age"] ?? 0,
  "@tusbar/cache-control": tusbar.parse(value).maxAge ?? 0,
});
console.log(JSON.stringify(process.argv.slice(2).map(ages)));
JS
cat > "$folder/ask.py" <<'PY'
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

import requests
from cachecontrol import CacheControl

FORMS = ("max-age=60", "MAX-AGE=60", 'max-age="60"', "max-age=60,")
KEEPS = {
    "CacheControl": [True, False, False, True],
    "http-cache-semantics": [True, False, True, True],
    "parse-cache-control": [True, False, True, False],
    "@tusbar/cache-control": [True, True, True, True],
}
asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        self.send_response(200)
        self.send_header("Cache-Control", unquote(self.path[1:]))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
session = CacheControl(requests.Session())
session.trust_env = False
keeps = {"CacheControl": []}
for form in FORMS:
    asked.clear()
    url = f"http://127.0.0.1:{server.server_port}/{requests.utils.quote(form)}"
    session.get(url)
    session.get(url)
    keeps["CacheControl"].append(len(asked) == 1)
output = subprocess.run(["node", sys.argv[1], *FORMS], check=True, capture_output=True).stdout
for ages in json.loads(output):
    for library, age in ages.items():
        keeps.setdefault(library, []).append(age == 60)
changed = False
for library, results in keeps.items():
    for form, kept, seen in zip(FORMS, results, KEEPS[library], strict=True):
        print(f"{library}, {form}: {'kept for a minute' if kept else 'not kept'}")
        if kept != seen:
            print(f"    this has changed: it was {'kept' if seen else 'not kept'}")
            changed = True
sys.exit(changed)
PY
"$folder/venv/bin/python" "$folder/ask.py" "$folder/read.cjs"
