#!/usr/bin/env bash
# Versions: structured-headers (npm) 2.1.0, http-sfv (PyPI) 0.9.9; structured-field-values (npm) 2.0.4
#   beside them.
# Done: wrote numbers with more than three digits after the point as structured fields, and let the
#   library that wrote each read it again.
# Came: structured-headers writes 1.0001 as "1." and 0.0001 as "0.", which itself refuses to read, and
#   rounds 0.0025 up. http-sfv reads what it writes; it rounds the float 0.0025 up and the same Decimal
#   down. structured-field-values writes 1.0 and 0.002.
# Expected: "1.0", "0.0" and "0.002". RFC 9651, section 4.1.5: three digits after the point at most,
#   the last one rounded to the nearest value, or to the even digit if two are as near, and one zero
#   where nothing is left.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund structured-headers@2.1.0 structured-field-values@2.0.4
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check http-sfv==0.9.9
cat > "$folder/write.mjs" <<'JS'
import { parseItem, serializeItem } from "structured-headers";
import { decodeItem, encodeItem } from "structured-field-values";
const again = (read, text) => {
  try {
    return read(text) !== undefined && "reads";
  } catch {
    return "refuses";
  }
};
const numbers = process.argv.slice(2).map(Number);
const one = numbers.map((number) => serializeItem([number, new Map()])).map((text) => [text, again(parseItem, text)]);
const two = numbers.map((number) => encodeItem(number)).map((text) => [text, again(decodeItem, text)]);
console.log(JSON.stringify({ "structured-headers": one, "structured-field-values": two }));
JS
cat > "$folder/write.py" <<'PY'
import json
import subprocess
import sys
from decimal import Decimal

from http_sfv import Item

NUMBERS = ("1.0001", "0.0001", "0.0025")
SEEN = {
    "structured-headers": [["1.", "refuses"], ["0.", "refuses"], ["0.003", "reads"]],
    "structured-field-values": [["1.0", "reads"], ["0.0", "reads"], ["0.002", "reads"]],
    "http-sfv, float": [["1.0", "reads"], ["0.0", "reads"], ["0.003", "reads"]],
    "http-sfv, Decimal": [["1.0", "reads"], ["0.0", "reads"], ["0.002", "reads"]],
}


def written(number: float | Decimal) -> list[str]:
    text = str(Item(number))
    try:
        Item().parse(text.encode())
    except ValueError:
        return [text, "refuses"]
    return [text, "reads"]


output = subprocess.run(["node", sys.argv[1], *NUMBERS], check=True, capture_output=True).stdout
came = json.loads(output)
came["http-sfv, float"] = [written(float(number)) for number in NUMBERS]
came["http-sfv, Decimal"] = [written(Decimal(number)) for number in NUMBERS]
changed = False
for library, results in came.items():
    for number, result, seen in zip(NUMBERS, results, SEEN[library], strict=True):
        print(f"{library}: {number} is written {result[0]!r}; it {result[1]} that")
        if result != seen:
            print(f"    this has changed: it was {seen}")
            changed = True
sys.exit(changed)
PY
"$folder/venv/bin/python" "$folder/write.py" "$folder/write.mjs"
