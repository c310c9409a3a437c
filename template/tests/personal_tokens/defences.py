"""What of this part `python -m tests.defences` takes out."""

from tests.defences import Defence

TESTS = "tests/personal_tokens"
TOKENS = "app/personal_tokens/tokens.py"
DEPENDENCIES = "app/api/dependencies.py"

DEFENCES = (
    Defence(
        61,
        "a personal token by its hash",
        TOKENS,
        "token_hash=token_hash(text)",
        "token_hash=text[:64]",
        TESTS,
    ),
    Defence(
        61,
        "a personal token that may only read",
        TOKENS,
        "return not self.read_only",
        "return True",
        TESTS,
    ),
    Defence(
        61,
        "no personal token for what takes a session",
        DEPENDENCIES,
        "if not isinstance(user, SessionUser):",
        "if False:",
        TESTS,
    ),
    Defence(
        61,
        "a personal token expires",
        TOKENS,
        'PersonalToken.expires_at > bindparam("now")',
        "User.is_active",
        TESTS,
    ),
    Defence(
        61,
        "a personal token ends with its user's access",
        "app/personal_tokens/models.py",
        "(RevokedReason.DEACTIVATED, RevokedReason.PASSWORD_RESET)",
        "()",
        TESTS,
    ),
    Defence(61, "twenty personal tokens", TOKENS, ">= MAX_TOKENS", ">= 10 * MAX_TOKENS", TESTS),
)
