#!/usr/bin/env bash
# Versions: axios-retry 4.5.0 (with axios 1.21.1), urllib3 2.8.0 beside it.
# Done: let both read a Retry-After that lies one minute ahead, in the three forms that a date has
#   in HTTP, with the clock of the process in New York, in UTC and in Tokyo.
# Came: axios-retry takes the third form (that of C's asctime) for local time: it would wait five
#   hours more than said in New York (four in summer), and not at all in Tokyo. urllib3 reads a
#   minute everywhere.
# Expected: a minute in every form and place. RFC 9110, section 5.6.7: a recipient must accept all
#   three forms, and the date is in UTC in each, also where it does not say so.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund axios-retry@4.5.0 axios@1.21.1
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check urllib3==2.8.0
echo "axios-retry 4.5.0, urllib3 2.8.0, node $(node --version)"

cat > "$folder/read.cjs" <<'JS'
// Nothing is asked and nothing waits: this is what the library reads from a response's field.
const { retryAfter } = require("axios-retry");
const waits = process.argv.slice(2).map((date) => retryAfter({ response: { headers: { "retry-after": date } } }));
console.log(JSON.stringify(waits.map((wait) => Math.round(wait / 1000))));
JS

cat > "$folder/compare.py" <<'PY'
import json
import os
import subprocess
import sys
import time

import urllib3

SCRIPT = os.path.join(os.path.dirname(__file__), "read.cjs")
changed = False
for place in ("America/New_York", "UTC", "Asia/Tokyo"):
    os.environ["TZ"] = place
    time.tzset()
    when = time.gmtime(time.time() + 60)
    forms = (
        time.strftime("%a, %d %b %Y %H:%M:%S GMT", when),
        time.strftime("%A, %d-%b-%y %H:%M:%S GMT", when),
        time.asctime(when),
    )
    output = subprocess.run(["node", SCRIPT, *forms], check=True, capture_output=True).stdout
    offset = time.localtime().tm_gmtoff  # Seconds by which the place is ahead of UTC.
    for form, axios in zip(forms, json.loads(output), strict=True):
        python = urllib3.Retry().parse_retry_after(form)
        print(f"{place}: {form}: axios-retry {axios} s, urllib3 {python:.0f} s")
        expected = 60 if form.endswith("GMT") else max(0, 60 - offset)
        if abs(axios - expected) > 20 or abs(python - 60) > 20:
            print(f"    this has changed: it was about {expected} s with axios-retry and 60 s with urllib3")
            changed = True
sys.exit(changed)
PY
"$folder/venv/bin/python" "$folder/compare.py"
