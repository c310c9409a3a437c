#!/usr/bin/env bash
# Versions: scim2-filter-parser 0.7.0, scim2-parse-filter 0.2.10.
# Done: read four SCIM filters whose value is a JSON number or string: -5, 1.5, a text with escaped
#   quotes, and a text with a letter written as \u00eb.
# Came: scim2-filter-parser refuses both numbers and the quotes, and keeps the escape of the letter;
#   scim2-parse-filter takes the first three, and keeps the escape as well: it compares with
#   the six characters \u00eb.
# Expected: the values. RFC 7644, section 3.4.2.2: a value to compare with is JSON's false, null, true,
#   number or string; RFC 8259, section 7: an escape stands for its character.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund scim2-parse-filter@0.2.10
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scim2-filter-parser==0.7.0
echo "scim2-filter-parser 0.7.0, scim2-parse-filter 0.2.10, node $(node --version)"

cat > "$folder/read.cjs" <<'JS'
const { parse } = require("scim2-parse-filter");
console.log(JSON.stringify(parse(process.argv[2]).compValue));
JS
cat > "$folder/compare.py" <<'PY'
import json
import os
import subprocess
import sys

from scim2_filter_parser.lexer import SCIMLexer
from scim2_filter_parser.parser import SCIMParser, SCIMParserError

SCRIPT = os.path.join(os.path.dirname(__file__), "read.cjs")
VALUES = ("-5", "1.5", r'"say \"hi\""', r'"Zo\u00eb"')
SEEN = {
    "-5": ("ValueError", -5),
    "1.5": ("ValueError", 1.5),
    r'"say \"hi\""': ("SCIMParserError", 'say "hi"'),
    r'"Zo\u00eb"': (r"Zo\u00eb", r"Zo\u00eb"),
}
changed = False
for value in VALUES:
    text = f"nickName eq {value}"
    try:
        python = str(SCIMParser().parse(SCIMLexer().tokenize(text)).expr.comp_value.value)
    except (ValueError, SCIMParserError) as error:
        python = type(error).__name__
    output = subprocess.run(["node", SCRIPT, text], check=True, capture_output=True).stdout
    node = json.loads(output)
    print(f"{text}: meant {json.loads(value)!r}; scim2-filter-parser: {python}; scim2-parse-filter: {node!r}")
    if (python, node) != SEEN[value]:
        print(f"    this has changed: it was {SEEN[value]}")
        changed = True
sys.exit(changed)
PY
"$folder/venv/bin/python" "$folder/compare.py"
