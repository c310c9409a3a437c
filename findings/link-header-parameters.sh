#!/usr/bin/env bash
# Versions: requests 2.34.2, parse-link-header 2.0.0, http-link-header 1.1.4 beside them.
# Done: let each read the next page from three Link headers: one with an address that holds a comma
#   and a semicolon, one with a title that does, before `rel`, and one with `REL` for the previous.
# Came: requests cuts the address of the first, finds no next page in the second, whose title it cuts,
#   and no previous one in the third. parse-link-header cuts the title, does not find the previous
#   one, and adds the parameters of the address's query to those of the link. http-link-header reads
#   all three.
# Expected: both pages. RFC 8288, section 3: a title is a quoted string, in which a comma and a
#   semicolon are themselves, and names of parameters are the same in either case; RFC 3986, section
#   3.3, allows both signs in a path.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund parse-link-header@2.0.0 http-link-header@1.1.4
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.34.2
echo "requests 2.34.2, parse-link-header 2.0.0, http-link-header 1.1.4, node $(node --version)"

cat > "$folder/read.cjs" <<'JS'
const parse = require("parse-link-header");
const LinkHeader = require("http-link-header");
const [header] = process.argv.slice(2);
const whole = LinkHeader.parse(header);
const found = (name) => whole.rel(name).map(({ uri, title }) => [uri, title ?? null])[0] ?? null;
console.log(JSON.stringify({
  "parse-link-header": Object.fromEntries(Object.entries(parse(header) ?? {}).map(([k, v]) => [k, { ...v }])),
  "http-link-header": { next: found("next"), prev: found("prev") },
}));
JS
cat > "$folder/compare.py" <<'PY'
import json
import os
import subprocess
import sys

import requests.utils

SCRIPT = os.path.join(os.path.dirname(__file__), "read.cjs")
HEADERS = {
    "address": "<https://example.org/list/a,b;c?page=2>; rel=next",
    "title": '<https://example.org/?page=2>; title="Notes, new; old"; rel="next"',
    "name": "<https://example.org/?page=3>; rel=next, <https://example.org/?page=1>; REL=prev",
}
SEEN_BY_REQUESTS = {
    "address": [{"url": "https://example.org/list/a,b", "c?page": "2>", "rel": "next"}],
    "title": [{"url": "https://example.org/?page=2", "title": "Notes, new"}],
    "name": [
        {"url": "https://example.org/?page=3", "rel": "next"},
        {"url": "https://example.org/?page=1", "REL": "prev"},
    ],
}
changed = False
for name, header in HEADERS.items():
    output = subprocess.run(["node", SCRIPT, header], check=True, capture_output=True).stdout
    others = json.loads(output)
    by_requests = requests.utils.parse_header_links(header)
    node = others["parse-link-header"]
    print(f"{name}: {header}\n    requests: {by_requests}")
    for library, seen in others.items():
        print(f"    {library}: {json.dumps(seen)}")
    # What is true of parse-link-header, by header: the query's `page` stands among the parameters
    # of each, the title is cut, and the previous page is not there.
    expected = {
        "address": "next" in node and node["next"].get("page") == "2",
        "title": node.get("next", {}).get("title") == "Notes, new",
        "name": "prev" not in node,
    }
    right = others["http-link-header"]["next"] is not None and (
        name != "name" or others["http-link-header"]["prev"] is not None
    )
    if by_requests != SEEN_BY_REQUESTS[name] or not expected[name] or not right:
        print("    this has changed")
        changed = True
sys.exit(changed)
PY
"$folder/venv/bin/python" "$folder/compare.py"
