#!/usr/bin/env bash
# Versions: ndjson (PyPI) 0.3.1; jsonlines 4.0.0 and ndjson (npm) 2.0.0 beside it.
# Done: read two lines of newline-delimited JSON, of which the first has a name with U+2028, U+2029 or
#   U+0085 in it, as other tools write it that leave letters beyond ASCII as they are.
# Came: ndjson of PyPI puts a comma in the place of each, without an error; what its own `dumps` with
#   ensure_ascii=False wrote comes back changed too. The other two read what was written.
# Expected: the name as it is. RFC 8259, section 7: only quotes, the backslash and U+0000 to U+001F
#   have to be escaped; NDJSON ends a line with \n alone.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund ndjson@2.0.0
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ndjson==0.3.1 jsonlines==4.0.0
cat > "$folder/read.cjs" <<'JS'
process.stdin.pipe(require("ndjson").parse()).on("data", (row) => console.log(JSON.stringify(row)));
JS
cat > "$folder/read.py" <<'PY'
import io
import json
import subprocess
import sys

import jsonlines
import ndjson

changed = False
for separator in ("\u2028", "\u2029", "\x85"):
    rows = [{"name": f"Ann{separator}Lee"}, {"name": "Bob"}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    node = subprocess.run(["node", sys.argv[1]], input=text.encode(), check=True, capture_output=True).stdout
    read = {
        "ndjson of PyPI": ndjson.loads(text),
        "ndjson of PyPI, of its own": ndjson.loads(ndjson.dumps(rows, ensure_ascii=False)),
        "jsonlines": list(jsonlines.Reader(io.StringIO(text))),
        "ndjson of npm": [json.loads(line) for line in node.decode().split("\n") if line],
    }
    for name, got in read.items():
        seen = "Ann,Lee" if "PyPI" in name else f"Ann{separator}Lee"
        print(f"U+{ord(separator):04X}, {name}: {ascii(got[0]['name'])}")
        if got != [{"name": seen}, {"name": "Bob"}]:
            print(f"    this has changed: it was {ascii(seen)}")
            changed = True
sys.exit(changed)
PY
"$folder/venv/bin/python" "$folder/read.py" "$folder/read.cjs"
