"""What of this part `python -m tests.defences` takes out."""

from tests.defences import TOKENS, Defence

ATTACKS = "tests/jwks/test_attacks.py"
ENDPOINTS = "tests/jwks/test_endpoints.py"
SETTINGS = "tests/jwks/test_settings.py"
PAIRS = "app/jwks/key_pairs.py"
RING = "app/jwks/key_ring.py"
API = "app/api/jwks.py"

DEFENCES = (
    Defence(
        1,
        "the token does not choose the algorithm",
        TOKENS,
        '            key = self._find_key(token.partition(".")[0], typ)\n',
        "            said = self._jwt.header_of(token)\n"
        "            ring = self.rings[typ].keys\n"
        '            key = next((k for k in ring if k.algorithm == said["alg"]), ring[0])\n',
        ATTACKS,
    ),
    Defence(
        1,
        "no header but ours, with a pair",
        TOKENS,
        'header.keys() != {"alg", "typ", "kid"} or ',
        "",
        ATTACKS,
    ),
    Defence(2, "the type, with a pair", TOKENS, ' or header["typ"] != typ', "", ATTACKS),
    Defence(
        1,
        "P-256 and no other curve",
        PAIRS,
        ' and private.curve.name == "secp256r1"',
        "",
        SETTINGS,
    ),
    Defence(
        2,
        "the secret signs access tokens only where it is named",
        RING,
        "    return KeyRing(*keys)",
        "    return KeyRing(*keys, *secrets.keys)",
        ATTACKS,
    ),
    Defence(
        6,
        "a staged pair does not sign",
        RING,
        "        entries.append(",
        "        entries.insert(0, ",
        ATTACKS,
    ),
    Defence(
        6,
        "the secret goes on verifying after a move",
        "app/manage/key_pairs.py",
        "return slots.keys or (SECRET,)",
        "return slots.keys",
        "tests/jwks/test_keys.py",
    ),
    Defence(
        33,
        "an encrypted key is told",
        PAIRS,
        'if "Proc-Type: 4" in text:',
        "if False:",
        SETTINGS,
    ),
    Defence(33, "so is one in PKCS #8", PAIRS, "except TypeError:", "except KeyError:", SETTINGS),
    Defence(
        33,
        "a pipe keeps no start waiting",
        PAIRS,
        "if not Path(file).is_file():",
        "if not Path(file).exists():",
        SETTINGS,
    ),
    Defence(
        33,
        "one key an entry",
        PAIRS,
        "    if len(private) > 1:",
        "    if len(private := private[:1]) > 1:",
        SETTINGS,
    ),
    Defence(33, "one key once", "app/jwks/settings.py", "if kid in known:", "if False:", SETTINGS),
    Defence(
        33,
        "a guessable service token",
        "app/jwks/settings.py",
        "if len(token.get_secret_value()) < MIN_SERVICE_TOKEN:",
        "if False:",
        SETTINGS,
    ),
    Defence(
        48,
        "no secret is served",
        RING,
        " if key not in secrets.keys",
        "",
        ENDPOINTS,
    ),
    Defence(48, "only services ask", API, " or digest not in known:", ":", ENDPOINTS),
    Defence(
        48,
        "who guesses is stopped",
        API,
        "        await services.limiter.count(WRONG_SERVICE_TOKENS, address)\n",
        "",
        ENDPOINTS,
    ),
    Defence(
        48,
        "an ended session is not active",
        API,
        "user = await find_signed_in_user(services, claims)\n    if user is None:",
        "user = await find_signed_in_user(services, claims)\n    if False:",
        ENDPOINTS,
    ),
    Defence(
        48,
        "a form opens no other endpoint",
        "app/foundation/http/request_body.py",
        "return _FORM if route_path(scope) in forms else _JSON",
        "return _FORM if b'form' in (request_header(scope, b'content-type') or b'') else _JSON",
        ENDPOINTS,
    ),
)
