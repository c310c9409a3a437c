#!/usr/bin/env bash
# Versions: joserfc 1.8.0, PyJWT 2.15.1 beside it.
# Done: imported key sets of a known P-256 key and one that the library does not know: of another
#   type (kty), on another curve, for another use.
# Came: joserfc leaves out the key of another type, but for the two others refuses the set, and with
#   it the key that it knows; for the curve with a bare KeyError. PyJWT reads all three sets.
# Expected: the known key from each. RFC 7517, section 5: an implementation should ignore keys of a
#   set whose kty it does not understand or whose values lie outside what it supports; section 4.2:
#   other values than sig and enc may be used.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    joserfc==1.8.0 'pyjwt[crypto]==2.15.1' cryptography==50.0.2
"$folder/venv/bin/python" - <<'PY'
import base64
import sys
from importlib.metadata import version

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

print(*(f"{name} {version(name)}" for name in ("joserfc", "pyjwt")))


def public(kid: str) -> dict[str, str]:
    return {**ECKey.generate_key("P-256").as_dict(private=False), "kid": kid}


def brainpool(kid: str) -> dict[str, str]:
    """A key on brainpoolP256r1, under the name that the German health network gives that curve."""
    point = ec.generate_private_key(ec.BrainpoolP256R1()).public_key().public_numbers()
    x, y = (
        base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=") for number in (point.x, point.y)
    )
    return {"kty": "EC", "crv": "BP-256", "x": x, "y": y, "kid": kid}


OTHERS = {
    "another type": {"kty": "LMS", "kid": "other", "pub": "AAAA"},
    "another curve": brainpool("other"),
    "another use": {**public("other"), "use": "attest"},
}
EXPECTED = {"another type": "1 key", "another curve": "KeyError: 'BP-256'", "another use": "KeyParameterError"}
changed = False
for name, other in OTHERS.items():
    key_set = {"keys": [public("known"), other]}
    try:
        seen = f"{len(KeySet.import_key_set(key_set).keys)} key"
    except (JoseError, KeyError) as error:
        seen = f"{type(error).__name__}: {error}"
    beside = [key.key_id for key in jwt.PyJWKSet.from_dict(key_set).keys]
    print(f"a known key and one of {name}: joserfc: {seen}; PyJWT: keys {beside}")
    if not seen.startswith(EXPECTED[name]) or "known" not in beside:
        print(f"    this has changed: it was {EXPECTED[name]}, and PyJWT had the known key")
        changed = True
sys.exit(changed)
PY
