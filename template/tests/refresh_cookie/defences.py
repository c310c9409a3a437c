"""What of this part `python -m tests.defences` takes out."""

from tests.defences import Defence

TESTS = "tests/refresh_cookie"
LAYER = "app/api/refresh_cookie/layer.py"

DEFENCES = (
    Defence(
        62,
        "no script reads the cookie",
        "app/api/refresh_cookie/cookie.py",
        "; HttpOnly",
        "",
        TESTS,
    ),
    Defence(
        62,
        "the cookie of a page that does not say whose it is",
        LAYER,
        "return bool(origin) and (",
        "return not origin or (",
        TESTS,
    ),
    Defence(
        62,
        "the cookie stays at home",
        "app/api/refresh_cookie/cookie.py",
        "; Secure",
        "",
        TESTS,
    ),
    Defence(
        62, "the refresh token is out of the body", LAYER, "body.pop(_FIELD)", "body[_FIELD]", TESTS
    ),
    Defence(
        62,
        "no cookies for every origin",
        "app/api/refresh_cookie/__init__.py",
        'if "*" in services.settings.cors_origins:',
        "if False:",
        TESTS,
    ),
    Defence(
        62,
        "credentials for listed origins",
        LAYER,
        'if any(name.lower() == b"access-control-allow-origin" for name, _ in headers):',
        "if headers:",
        TESTS,
    ),
)
