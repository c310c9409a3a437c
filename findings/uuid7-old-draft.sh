#!/usr/bin/env bash
# Versions: uuid7 0.1.0 (module uuid_extensions), uuid6 2025.0.1 beside it.
# Done: made an id of version 7 with both at the same moment, and read its time as the RFC says.
# Came: both say that they are version 7 with the variant of the RFC. The id of uuid7 was made about
#   176 years from now, and sorts after all those of the other: it counts seconds in 36 bits and
#   their fractions in the next ones, as a draft of 2021 did.
# Expected: the first 48 bits are the milliseconds since 1970. RFC 9562, section 5.7. So a table with
#   ids of two programs is no longer in the order of time.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uuid7==0.1.0 uuid6==2025.0.1
"$folder/venv/bin/python" - <<'PY'
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import UUID

import uuid6
import uuid_extensions

print(*(f"{name} {version(name)}" for name in ("uuid7", "uuid6")))


def made_at(value: UUID) -> datetime:
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC)


of_the_draft, of_the_rfc = UUID(str(uuid_extensions.uuid7())), UUID(str(uuid6.uuid7()))
for name, value in (("uuid7", of_the_draft), ("uuid6", of_the_rfc)):
    print(f"{name}: {value}, version {value.version}, {value.variant}, made at {made_at(value):%Y-%m-%d}")

is_now = abs((made_at(of_the_rfc) - datetime.now(UTC)).total_seconds()) < 60
years_ahead = made_at(of_the_draft).year - datetime.now(UTC).year
if of_the_draft.version != 7 or years_ahead < 100 or not is_now or of_the_draft < of_the_rfc:
    print("this has changed: uuid7's id was of version 7, made more than a century from now")
    sys.exit(1)
PY
