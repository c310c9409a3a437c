"""Take each defence out in turn and see a test fail: `python -m tests.defences [NAME ...]`.

A test that passes without the defence it is named after proves nothing. Each entry below changes a
copy of the code in one place and runs the tests that stand for it; they must fail. It takes some
minutes, so it is not part of the suite; the exit code is 0 when no defence can go unnoticed.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.helpers import ROOT

COPIED: Final = (
    *("app", "migrations", "tests", "alembic.ini", "pyproject.toml", "uvicorn_log.json"),
    *(".env.example", ".github", "AGENTS.md", "README.md", "SECURITY.md", "docs"),
)

TESTS_FAILED: Final = 1
"""pytest's exit code. Any other than this and 0 means that the tests did not run."""


@dataclass(frozen=True)
class Defence:
    """One place in the code, and what it looks like without its defence.

    Args:
        number: the line of SECURITY.md.
        tests: what stands for it, as arguments of pytest.
    """

    number: int
    name: str
    file: str
    code: str
    without: str
    tests: str


TOKENS: Final = "app/accounts/tokens.py"
SIGN_IN: Final = "app/accounts/sign_in.py"
PASSWORDS: Final = "app/accounts/passwords.py"
RESET: Final = "app/accounts/password_reset.py"
HANDLERS: Final = "app/foundation/http/error_handlers.py"
APPLICATION: Final = "app/application.py"
ENTITY_TAGS: Final = "app/foundation/http/entity_tags.py"
VALUES: Final = "app/api/schemas/values.py"
VALUES_TESTS: Final = "tests/api/test_values.py"

DEFENCES: Final = (
    Defence(
        1,
        "one algorithm",
        TOKENS,
        "algorithms=[ALGORITHM]",
        'algorithms=["HS256", "HS384", "HS512"]',
        "tests/accounts/test_tokens.py",
    ),
    Defence(
        1,
        "no header but ours",
        TOKENS,
        'header.keys() != {"alg", "typ", "kid"} or ',
        "",
        "tests/accounts/test_tokens.py",
    ),
    Defence(2, "the type", TOKENS, ' or header["typ"] != typ', "", "tests/accounts/test_tokens.py"),
    Defence(
        3,
        "required claims",
        TOKENS,
        '"require": list(REQUIRED_CLAIMS)',
        '"require": []',
        "tests/accounts/test_tokens.py",
    ),
    Defence(
        3,
        "types of claims",
        TOKENS,
        'if type(claims["iat"]) is not int or type(claims["exp"]) is not int:',
        "if False:",
        "tests/accounts/test_tokens.py",
    ),
    Defence(3, "the issuer", TOKENS, "issuer=self._issuer,", "", "tests/accounts/test_tokens.py"),
    Defence(
        3,
        "leeway",
        TOKENS,
        "LEEWAY: Final = timedelta(seconds=5)",
        "LEEWAY: Final = timedelta(minutes=5)",
        "tests/accounts/test_tokens.py",
    ),
    Defence(
        5,
        "the challenge",
        TOKENS,
        'headers={"WWW-Authenticate": \'Bearer error="invalid_token"\'}',
        'headers={"WWW-Authenticate": "Bearer"}',
        "tests/api/test_users.py",
    ),
    Defence(
        6,
        "earlier secrets verify",
        TOKENS,
        "for known in (*previous_secrets, secret)",
        "for known in (secret,)",
        "tests/accounts/test_tokens.py",
    ),
    Defence(
        7,
        "a replay ends the family",
        "app/accounts/sessions/refreshing.py",
        "revoke(RevokedReason.REFRESH_REUSED).where(Session.id == claims.session_id)",
        "revoke(RevokedReason.REFRESH_REUSED).where(Session.id == claims.user_id)",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        8,
        "one of many refreshes",
        "app/accounts/sessions/refreshing.py",
        'Session.token_hash == bindparam("presented"), ',
        "",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        8,
        "losers harm nobody",
        "app/accounts/sessions/refreshing.py",
        "LOST_RACE_SECONDS: Final = 10",
        "LOST_RACE_SECONDS: Final = 0",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        41,
        "a replay from elsewhere",
        "app/accounts/sessions/refreshing.py",
        " and _is_where_it_went(session, device)",
        "",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        41,
        "an unknown address is nobody's",
        "app/accounts/sessions/refreshing.py",
        "address != UNKNOWN\n        and ",
        "",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        41,
        "a session follows its refreshes",
        "app/accounts/sessions/refreshing.py",
        """        ip_address=bindparam("address"),
        user_agent=bindparam("agent"),
    )""",
        "    )",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        41,
        "a lost race is an event",
        "app/accounts/sessions/refreshing.py",
        "            logger.info(SecurityEvent.REFRESH_SUPERSEDED, **who)\n",
        "",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        9,
        "login against reset",
        SIGN_IN,
        ".where(User.password_hash == checked.password_hash)",
        "",
        "tests/accounts/test_meanwhile.py",
    ),
    Defence(
        9,
        "signed out meanwhile",
        "app/accounts/sessions/current.py",
        "if locked is None or not locked.is_active or await db.scalar(live) is None:",
        "if locked is None:",
        "tests/accounts/test_meanwhile.py",
    ),
    Defence(
        9,
        "an admin is asked again",
        "app/accounts/administration.py",
        "if (await lock_signed_in_user(db, admin)).role != Role.ADMIN:",
        "if False:",
        "tests/accounts/test_meanwhile.py",
    ),
    Defence(
        10,
        "a family ends",
        "app/accounts/sessions/opening.py",
        "expires_at=claims.expires_at,  # the session's: no rotation prolongs it",
        "expires_at=now + services.session_lifetime,",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        11,
        "an access token dies with its session",
        "app/accounts/sessions/current.py",
        '.where(User.is_active, is_live(bindparam("now")))',
        ".where(User.is_active)",
        "tests/api/test_auth.py",
    ),
    Defence(
        11,
        "somebody else's refresh token",
        "app/accounts/sessions/ending.py",
        "if claims.user_id == user.id:",
        "if claims:",
        "tests/api/test_auth.py",
    ),
    Defence(
        11,
        "one good token to sign out",
        "app/api/auth.py",
        "raise not_signed_in(request)",
        "pass",
        "tests/api/test_auth.py",
    ),
    Defence(
        12,
        "changing ends other sessions",
        "app/accounts/password_change.py",
        "Session.id != user.session_id",
        "Session.id == user.session_id",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        12,
        "resetting ends all sessions",
        RESET,
        "await db.execute(revoke(RevokedReason.PASSWORD_RESET).where(Session.user_id == user_id))",
        "",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        12,
        "deactivated at once",
        "app/accounts/sessions/current.py",
        '.where(User.is_active, is_live(bindparam("now")))',
        '.where(is_live(bindparam("now")))',
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        13,
        "refresh tokens at rest",
        "app/accounts/sessions/opening.py",
        "session.token_hash = token_hash(tokens.refresh_token)",
        "session.token_hash = tokens.refresh_token",
        "tests/accounts/test_sessions.py",
    ),
    Defence(
        14,
        "72 bytes",
        PASSWORDS,
        "MAX_BYTES: Final = 72",
        "MAX_BYTES: Final = 7200",
        "tests/accounts/test_passwords.py tests/api/test_auth.py",
    ),
    Defence(
        14,
        "NFKC",
        PASSWORDS,
        'unicodedata.normalize("NFKC", password)',
        "password",
        "tests/accounts/test_passwords.py",
    ),
    Defence(
        15,
        "hashing off the loop",
        PASSWORDS,
        "return await asyncio.get_running_loop().run_in_executor(self._threads, work)",
        "return work()",
        "tests/accounts/test_passwords.py",
    ),
    Defence(
        15,
        "a bound for the queue",
        PASSWORDS,
        "if self._queued >= MAX_QUEUED:",
        "if False:",
        "tests/accounts/test_passwords.py",
    ),
    Defence(
        15,
        "refusing before any query",
        "app/foundation/limits/middleware.py",
        "if rule.hashes_password:",
        "if False:",
        "tests/accounts/test_passwords.py",
    ),
    Defence(
        15,
        "no try lost to a full queue",
        "app/foundation/limits/middleware.py",
        """        if rule.hashes_password:
            self._refuse_if_full()
        if rule.limit""",
        """        if rule.limit is not None and rule.hashes_password:
            await self._limiter.count(rule.limit, rule.limit.key_func(scope))
            self._refuse_if_full()
        elif rule.limit""",
        "tests/foundation/limits/test_limits.py",
    ),
    Defence(
        16,
        "work for nobody",
        PASSWORDS,
        "data = _possible(password)\n",
        "data = _possible(password)\n        if password_hash is None:\n            return False\n",
        "tests/accounts",
    ),
    Defence(
        16,
        "inactive is wrong",
        SIGN_IN,
        "or not correct or not user.is_active",
        "or not correct",
        "tests/accounts/test_sign_in.py",
    ),
    Defence(
        17,
        "a reset token works once",
        RESET,
        "PasswordReset.token_hash == token_hash(token), PasswordReset.used_at.is_(None))\n"
        "            .values",
        "PasswordReset.token_hash == token_hash(token))\n            .values",
        "tests/accounts/test_meanwhile.py",
    ),
    Defence(
        17,
        "a reset token gets old",
        RESET,
        "PasswordReset.expires_at > utc_now(), ",
        "",
        "tests/accounts",
    ),
    Defence(
        17,
        "a newer reset token voids",
        RESET,
        "await db.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))",
        "",
        "tests/accounts",
    ),
    Defence(
        18,
        "one spelling of an address",
        "app/accounts/emails.py",
        "checked.normalized.lower()",
        "checked.normalized",
        "tests/api/test_auth.py",
    ),
    Defence(
        18,
        "common passwords",
        PASSWORDS,
        "if is_common(normalise(password).decode()):",
        "if False:",
        "tests/api/test_auth.py",
    ),
    Defence(
        19,
        "guessing at one account",
        SIGN_IN,
        "await services.limiter.count(services.account_limit, _account_key(email))",
        "",
        "tests/accounts/test_sign_in.py",
    ),
    Defence(
        19,
        "the owner is let in",
        SIGN_IN,
        "if rate_limit_key(device.ip_address) not in known:",
        "if known:",
        "tests/accounts/test_sign_in.py",
    ),
    Defence(
        20,
        "unknown fields",
        "app/api/schemas/base.py",
        'extra="forbid"',
        'extra="ignore"',
        "tests/api",
    ),
    Defence(
        21,
        "no answer repeats its input",
        HANDLERS,
        'return {"field": field, "message": problem["msg"].removeprefix("Value error, ")}',
        'return {"field": field, "message": str(problem["input"])}',
        "tests/api/test_auth.py",
    ),
    Defence(
        22,
        "the encoding of a body",
        "app/foundation/http/request_body.py",
        "if _NUL in body:",
        "if False:",
        "tests/test_hostile_input.py",
    ),
    Defence(
        23,
        "the type of a body",
        "app/foundation/http/request_body.py",
        "    if not is_json(",
        "    if False and not is_json(",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        23,
        "the size of a body",
        "app/foundation/http/request_body.py",
        "if received > self.max_bytes:",
        "if False:",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        24,
        "a crash says nothing",
        "app/foundation/http/crash_guard.py",
        "CRASH_MESSAGE,",
        "repr(error),",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        24,
        "Allow is complete",
        HANDLERS,
        'headers["Allow"] = ", ".join(_allowed_methods(request))',
        "pass",
        "tests/test_application.py",
    ),
    Defence(
        25,
        "no redirect for a slash",
        APPLICATION,
        "redirect_slashes=False,",
        "redirect_slashes=True,",
        "tests",
    ),
    Defence(
        25,
        "allowed hosts",
        "app/foundation/http/hosts.py",
        "if len(hosts) == 1 and len(hosts[0]) <= _LONGEST and self.is_allowed(hosts[0]):",
        "if hosts:",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        26,
        "security headers",
        "app/foundation/http/security_headers.py",
        '(b"x-content-type-options", b"nosniff"),',
        "",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        26,
        "no promise for localhost",
        APPLICATION,
        "if settings.environment is Environment.DEVELOPMENT:",
        "if False:",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        27,
        "foreign origins",
        "app/foundation/http/cors.py",
        "if origin and self.is_allowed_origin(origin):",
        "if origin:",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        27,
        "look-alikes of subdomains",
        "app/foundation/http/cors.py",
        "{labels}{re.escape(domain)}",
        ".*{domain}",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        27,
        "nobody's domain",
        "app/foundation/checks/formats.py",
        r"\*\.([A-Za-z0-9_-]+\.)+[A-Za-z0-9_-]+",
        r"\*\.[A-Za-z0-9._-]+",
        "tests/test_config.py",
    ),
    Defence(
        28,
        "a clock that is set",
        "app/foundation/limits/memory.py",
        "clock: Callable[[], float] = time.monotonic",
        "clock: Callable[[], float] = lambda: time.time()",
        "tests/foundation/limits/test_memory.py",
    ),
    Defence(
        28,
        "exactly so many",
        "app/foundation/limits/limiter.py",
        "if self.enabled and not await self._windows.hit(limit.limit, limit.scope, key):",
        "if self.enabled and not await self._windows.test(limit.limit, limit.scope, key):",
        "tests/foundation/limits/test_limits.py",
    ),
    Defence(
        29,
        "who is believed about addresses",
        "app/foundation/http/client_address.py",
        "elif trusted.networks and trusted.contain(address):",
        "elif True:",
        "tests/foundation/http/test_client_address.py",
    ),
    Defence(
        29,
        "IPv6 by /64",
        "app/foundation/http/client_address.py",
        "_IPV6_CUSTOMER_BITS: Final = 64",
        "_IPV6_CUSTOMER_BITS: Final = 128",
        "tests/foundation/http/test_client_address.py",
    ),
    Defence(
        30,
        "forged tokens count by address",
        APPLICATION,
        'return f"user:{claims.user_id}" if claims else address(scope)',
        'return str(scope["headers"])',
        "tests/foundation/limits/test_limits.py",
    ),
    Defence(
        30,
        "a dead token stops no refresh",
        "app/api/auth.py",
        '@general_limit(by="refresh_token")\nasync def refresh',
        "async def refresh",
        "tests/foundation/limits/test_limits.py",
    ),
    Defence(
        30,
        "nobody's refresh is counted too",
        APPLICATION,
        '        return f"user:{claims.user_id}" if claims else user(scope)',
        '        return f"user:{claims.user_id}" if claims else str(id(scope))',
        "tests/foundation/limits/test_limits.py",
    ),
    Defence(
        30,
        "no spelling of a path dodges a limit",
        "app/foundation/limits/routes.py",
        '.removesuffix("\\n")',
        "",
        "tests/foundation/limits/test_limits.py",
    ),
    Defence(
        30,
        "a path parameter dodges no limit",
        "app/foundation/limits/routes.py",
        "if method in methods and pattern.match(path):",
        "if method in methods and pattern.pattern == path:",
        "tests/foundation/limits/test_declaration.py",
    ),
    Defence(
        31,
        "limits without Redis",
        "app/foundation/limits/redis.py",
        "return await question(self._memory)\n        if was_away",
        "raise\n        if was_away",
        "tests/foundation/limits/test_redis.py",
    ),
    Defence(
        32,
        "an outage is a 503",
        "app/foundation/database/sections.py",
        "if not is_outage(error):",
        "if error:",
        "tests/test_outages.py tests/foundation/database/test_database.py",
    ),
    Defence(
        33,
        "weak secrets in production",
        "app/foundation/checks/production.py",
        "if is_weak_secret(settings.jwt_secret.get_secret_value()):",
        "if False:",
        "tests/test_config.py",
    ),
    Defence(
        34,
        "secrets in a log line",
        "app/foundation/log/redaction.py",
        "event[key] = REDACTED",
        "pass",
        "tests/foundation/log/test_log.py",
    ),
    Defence(
        34,
        "forged log lines",
        "app/foundation/log/escaping.py",
        "event[key] = escape_control_characters(value)",
        "pass",
        "tests/foundation/log/test_log.py",
    ),
    Defence(
        35,
        "hosts that start at once on a new SQLite file",
        "app/foundation/database/sqlite.py",
        '_once_unlocked(connection.execute, f"PRAGMA {pragma}")',
        'connection.execute(f"PRAGMA {pragma}")',
        "tests/foundation/database/test_database.py",
    ),
    Defence(
        35,
        "mail is sent before stopping",
        "app/services.py",
        "await services.outbox.close()",
        "",
        "tests/test_shutdown.py",
    ),
    Defence(
        46,
        "no cascade while a table is made anew",
        "migrations/env.py",
        'connection.execute("PRAGMA foreign_keys = OFF")',
        "pass",
        "tests/test_migrations.py",
    ),
    Defence(
        46,
        "rows that would refer to nothing",
        "migrations/env.py",
        "        refuse_dangling_rows(connection)",
        "        pass",
        "tests/test_migrations.py",
    ),
    Defence(
        6,
        "a line break after the secret",
        "app/foundation/checks/formats.py",
        "AfterValidator(trimmed), ",
        "",
        "tests/accounts/test_tokens.py tests/test_config.py",
    ),
    Defence(
        6,
        "what was signed with a line break",
        "app/foundation/checks/formats.py",
        "return [*earlier, secret] if isinstance(earlier, list) else previous",
        "return earlier",
        "tests/test_config.py",
    ),
    Defence(
        32,
        "SQLite's failures are outages",
        "app/foundation/database/outages.py",
        "    sqlite3.SQLITE_READONLY,\n",
        "",
        "tests/foundation/database/test_sqlite.py",
    ),
    Defence(
        47,
        "no file is made in the place of one that was deleted",
        "app/foundation/database/sqlite.py",
        "        if self._was_there:\n            self._identity()\n",
        "        pass\n",
        "tests/foundation/database/test_sqlite.py",
    ),
    Defence(
        47,
        "a file that was deleted",
        "app/foundation/database/sqlite.py",
        'record.info.setdefault("file", identity) != identity',
        "False",
        "tests/foundation/database/test_sqlite.py",
    ),
    Defence(
        47,
        "ready to write",
        "app/foundation/database/sections.py",
        "not os.access(self.file, os.R_OK | os.W_OK)",
        "False",
        "tests/foundation/database/test_sqlite.py",
    ),
    Defence(
        47,
        "what nobody understands of a URL",
        "app/foundation/checks/database_url.py",
        "        _check_name(name)\n",
        "",
        "tests/test_config.py",
    ),
    Defence(
        47,
        "check writes",
        "app/manage/check.py",
        "        await write_nothing(database)\n",
        "",
        "tests/manage/test_check.py",
    ),
    Defence(
        36,
        "a long password is not normalised",
        PASSWORDS,
        "    if len(password) > MAX_CODE_POINTS:\n        return None\n",
        "",
        "tests/test_long_input.py",
    ),
    Defence(
        36,
        "a long new password is not normalised",
        PASSWORDS,
        "len(password) > MAX_CODE_POINTS or ",
        "",
        "tests/test_long_input.py",
    ),
    Defence(
        36,
        "a long address is not normalised",
        "app/accounts/emails.py",
        "if len(address) > MAX_EMAIL:",
        "if False:",
        "tests/accounts/test_emails.py",
    ),
    Defence(
        36,
        "one unknown field is enough",
        "app/api/schemas/base.py",
        "len(body) <= len(cls.model_fields)",
        "True",
        "tests/test_long_input.py",
    ),
    Defence(
        36,
        "few details",
        HANDLERS,
        "if len(problems) <= MAX_DETAILS:",
        "if True:",
        "tests/test_long_input.py",
    ),
    Defence(
        36,
        "a bound for the head",
        APPLICATION,
        "        Middleware(RequestHeadMiddleware),\n",
        "",
        "tests/test_long_input.py",
    ),
    Defence(
        36,
        "a bound for the chain of proxies",
        "app/foundation/http/client_address.py",
        "islice(hops, MAX_HOPS)",
        "hops",
        "tests/foundation/http/test_client_address.py",
    ),
    Defence(
        19,
        "an address that is not known is no owner's",
        SIGN_IN,
        "known.discard(UNKNOWN)",
        "known.discard(None)",
        "tests/accounts/test_sign_in.py",
    ),
    Defence(
        20,
        "no unknown parameters",
        "app/api/schemas/users.py",
        'model_config = ConfigDict(extra="forbid")',
        "model_config = ConfigDict()",
        "tests/api/test_users.py",
    ),
    Defence(
        23,
        "compressed bodies",
        "app/foundation/http/request_body.py",
        "if encoding is not None and encoding.strip()",
        "if False and encoding.strip()",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        23,
        "offers to upgrade",
        "app/foundation/http/protocol.py",
        "if not self.parser.should_upgrade():",
        "if True:",
        "tests/foundation/http/test_protocol.py",
    ),
    Defence(
        23,
        "a lost body",
        "app/foundation/http/request_body.py",
        "if may_be_lost and received == 0",
        "if False and received == 0",
        "tests/foundation/http/test_protocol.py",
    ),
    Defence(
        29,
        "a Unix socket is trusted by name",
        "app/foundation/http/client_address.py",
        "if trusted.unix_socket and came_by_unix_socket(scope):",
        "if came_by_unix_socket(scope):",
        "tests/foundation/http/test_client_address.py",
    ),
    Defence(
        29,
        "who hung up did not come by a Unix socket",
        "app/foundation/http/client_address.py",
        "if trusted.unix_socket and came_by_unix_socket(scope):",
        "if trusted.unix_socket:",
        "tests/foundation/http/test_client_address.py",
    ),
    Defence(
        31,
        "a cluster's counters",
        "app/foundation/limits/redis_store.py",
        'if address.kind == "cluster":',
        'if address.kind == "a cluster":',
        "tests/test_redis.py",
    ),
    Defence(
        35,
        "a request on its way at the stop",
        "app/foundation/http/protocol.py",
        "self.loop.call_later(_LINGER_SECONDS, self._close_if_idle)",
        "self._close_if_idle()",
        "tests/test_shutdown.py",
    ),
    Defence(
        47,
        "a Redis that counts",
        "app/foundation/limits/redis.py",
        "await self._redis.incr(probe, PROBE_SECONDS)",
        "await self._redis.check()",
        "tests/test_redis.py",
    ),
    Defence(
        47,
        "one warning a minute",
        "app/foundation/limits/redis.py",
        "if now - self._warned_at >= REMIND_SECONDS:",
        "if True:",
        "tests/test_redis.py",
    ),
    Defence(
        47,
        "one look for all probes",
        "app/foundation/shared.py",
        "if self._answer is None or (",
        "if True or (",
        "tests/api/test_health.py",
    ),
    Defence(
        47,
        "health whatever the host",
        APPLICATION,
        ", any_host=HEALTH_PATHS",
        "",
        "tests/foundation/http/test_middleware.py",
    ),
    Defence(
        60,
        "a version that was seen",
        "app/foundation/database/refusals.py",
        "true() if seen is None else version.in_(seen)",
        "true()",
        "tests/foundation/database/test_pages.py",
    ),
    Defence(60, "no weak tags", ENTITY_TAGS, "(?<!W/)", "", VALUES_TESTS),
    Defence(60, "no tags but ours", ENTITY_TAGS, "[1-9][0-9]{0,8}", "[0-9]+", VALUES_TESTS),
    Defence(60, "depth of JSON", VALUES, "depth > MAX_JSON_DEPTH", "False", VALUES_TESTS),
    Defence(60, "NUL in JSON", VALUES, '"\\0" in text', "False", VALUES_TESTS),
    Defence(60, "digits", VALUES, " or Decimal(repr(kept)) != number", "", VALUES_TESTS),
)


def main(names: Sequence[str]) -> int:
    known = {defence.name for defence in DEFENCES}
    if unknown := set(names) - known:
        print(
            f"no defence is called {', '.join(sorted(unknown))}; there are:",
            *sorted(known),
            sep="\n",
        )
        return 2
    chosen = [defence for defence in DEFENCES if not names or defence.name in names]
    unnoticed = [defence for defence in chosen if not is_noticed(defence)]
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} defences can not go unnoticed")
    return 1 if unnoticed else 0


def is_noticed(defence: Defence) -> bool:
    """Run the tests that stand for a defence on a copy of the project without it."""
    with tempfile.TemporaryDirectory() as scratch:
        project = copy_of_project(Path(scratch))
        take_out(defence, project)
        options = ["-q", "-x", "--no-cov", "--numprocesses=0"]
        command = [sys.executable, "-m", "pytest", *options, *defence.tests.split()]
        run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)  # noqa: S603
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    noticed = run.returncode == TESTS_FAILED
    report = failed[0].split(" - ")[0] if noticed and failed else f"pytest exit {run.returncode}"
    print(
        f"{'ok  ' if noticed else 'MISS'} {defence.number:>2} {defence.name}: {report}", flush=True
    )
    return noticed


def copy_of_project(directory: Path) -> Path:
    for name in COPIED:
        source, target = ROOT / name, directory / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    return directory


def take_out(defence: Defence, project: Path) -> None:
    file = project / defence.file
    code = file.read_text()
    assert code.count(defence.code) == 1, f"{defence.file} has changed: {defence.code}"
    file.write_text(code.replace(defence.code, defence.without))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
