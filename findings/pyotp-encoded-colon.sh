#!/usr/bin/env bash
# Versions: PyOTP 2.12.1, otpauth (npm) 9.5.2 beside it.
# Done: read two otpauth:// addresses that say the same, one with a colon between issuer and account
#   and one with it percent-encoded, and wrote the second again.
# Came: PyOTP takes "Big Corporation: ann@example.com" for the account's name, and writes the issuer
#   twice. otpauth reads the same from both, but for a leading blank of the name.
# Expected: the same issuer and account from both. The Key Uri Format (wiki of google-authenticator,
#   "Label") separates the two by a literal or an encoded colon, after which blanks may follow; one of
#   its examples has both.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund otpauth@9.5.2
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyotp==2.12.1
cat > "$folder/read.mjs" <<'JS'
import { URI } from "otpauth";
console.log(JSON.stringify(process.argv.slice(2).map((uri) => [URI.parse(uri).issuer, URI.parse(uri).label.trim()])));
JS
cat > "$folder/read.py" <<'PY'
import json
import os
import subprocess
import sys
from importlib.metadata import version

import pyotp

print("pyotp", version("pyotp"), "otpauth 9.5.2")
QUERY = "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Big%20Corporation"  # The secret of RFC 6238's examples.
LITERAL = "otpauth://totp/Big%20Corporation:ann%40example.com" + QUERY
ENCODED = "otpauth://totp/Big%20Corporation%3A%20ann%40example.com" + QUERY
read = [pyotp.parse_uri(uri) for uri in (LITERAL, ENCODED)]
pairs = [(key.issuer, key.name) for key in read]
again = read[1].provisioning_uri()
script = os.path.join(os.path.dirname(__file__), "read.mjs")
node = json.loads(subprocess.run(["node", script, LITERAL, ENCODED], check=True, capture_output=True).stdout)
print("PyOTP   ", pairs)
print("otpauth ", node)
print("PyOTP writes the second as", again.partition("?")[0])
if node != [["Big Corporation", "ann@example.com"]] * 2:
    sys.exit("this has changed: otpauth read the same from both")
if pairs != [("Big Corporation", "ann@example.com"), ("Big Corporation", "Big Corporation: ann@example.com")]:
    sys.exit("this has changed: PyOTP took the issuer into the account's name")
if not again.startswith("otpauth://totp/Big%20Corporation:Big%20Corporation%3A%20ann%40example.com?"):
    sys.exit("this has changed: PyOTP wrote the issuer twice")
PY
"$folder/venv/bin/python" "$folder/read.py"
