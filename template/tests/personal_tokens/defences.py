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
        "{RevokedReason.DEACTIVATED}",
        "set[RevokedReason]()",
        TESTS,
    ),
    Defence(
        61,
        "a personal token ends with a reset",
        "app/personal_tokens/models.py",
        "            reasons.add(RevokedReason.PASSWORD_RESET)",
        "            pass",
        TESTS,
    ),
    Defence(
        61,
        "a personal token costs no write for each request",
        TOKENS,
        "if last_used_at is None or last_used_at < utc_now() - LAST_USED_EVERY:",
        "if True:",
        TESTS,
    ),
    Defence(
        61,
        "personal tokens that have expired are purged",
        "app/personal_tokens/models.py",
        "return cls.expires_at < now",
        "return cls.expires_at > now",
        TESTS,
    ),
    Defence(
        61,
        "a personal token does not take the account along",
        "app/accounts/profile.py",
        'if "email" in changes and not isinstance(user, SessionUser):',
        "if False:",
        TESTS,
    ),
    Defence(61, "twenty personal tokens", TOKENS, ">= MAX_TOKENS", ">= 10 * MAX_TOKENS", TESTS),
)
