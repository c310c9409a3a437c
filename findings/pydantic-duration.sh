#!/usr/bin/env bash
# Versions: pydantic 2.14.4, isodate 0.7.2, ajv 8.20.0 with ajv-formats 3.0.1.
# Done: wrote three timedeltas as JSON with pydantic, and read them with isodate and with a validator
#   of the schema that pydantic gives for the same field ({"type": "string", "format": "duration"}).
# Came: 365 days are written as one year. isodate reads a year of the calendar, which has 366 days
#   from the first of January 2028 on. A duration with a fraction of a second, or below zero, does not
#   satisfy the field's own schema.
# Expected: what others read as the same length, such as P365D: in ISO 8601 a year is one of the
#   calendar. JSON Schema 2020-12 (validation, 7.3.1) takes "duration" from RFC 3339, appendix A, whose
#   grammar has neither fractions nor signs.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund ajv@8.20.0 ajv-formats@3.0.1
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 isodate==0.7.2
cat > "$folder/validate.cjs" <<'JS'
const Ajv = require("ajv").default;
const ajv = new Ajv();
require("ajv-formats").default(ajv);
const [schema, ...values] = process.argv.slice(2).map(JSON.parse);
console.log(JSON.stringify(values.map((value) => ajv.validate(schema, value))));
JS
cat > "$folder/try.py" <<'PY'
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from importlib.metadata import version

import isodate
from pydantic import TypeAdapter

print(*(f"{name} {version(name)}" for name in ("pydantic", "isodate")), "ajv 8.20.0, ajv-formats 3.0.1")
adapter = TypeAdapter(timedelta)
DURATIONS = (timedelta(days=365), timedelta(seconds=1.5), timedelta(seconds=-1))
START = datetime(2028, 1, 1)
written = [adapter.dump_json(duration).decode() for duration in DURATIONS]
schema = json.dumps(adapter.json_schema(mode="serialization"))
script = os.path.join(os.path.dirname(__file__), "validate.cjs")
valid = json.loads(subprocess.run(["node", script, schema, *written], check=True, capture_output=True).stdout)
longer = []
for duration, text, satisfies in zip(DURATIONS, written, valid, strict=True):
    # Where isodate ends, counted from where the duration that was written ends.
    longer.append(START + isodate.parse_duration(json.loads(text)) - (START + duration))
    print(f"{duration!r} is written {text}; valid for {schema}: {satisfies}; isodate ends {longer[-1]} later")
if written != ['"P1Y"', '"PT1.5S"', '"-PT1S"']:
    sys.exit('this has changed: it wrote "P1Y", "PT1.5S" and "-PT1S"')
if longer != [timedelta(days=1), timedelta(0), timedelta(0)]:
    sys.exit("this has changed: isodate ended a day later for the year")
if valid != [True, False, False]:
    sys.exit("this has changed: the last two did not satisfy the schema")
PY
"$folder/venv/bin/python" "$folder/try.py"
