"""The settings: what each means, what is refused, and that no refusal shows a value."""

import base64
import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import Environment, Settings, SettingsError, load_settings
from app.foundation.checks.formats import _check_host, _check_origin, check_rate
from app.foundation.checks.production import (
    EXAMPLE_SECRET,
    general_warnings,
    is_weak_secret,
    production_warnings,
)

SECRET = "".join("abcdefgh12345678"[byte % 16] for byte in os.urandom(48))

Load = Callable[..., Settings]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Settings from environment variables alone, as a container gets them."""
    monkeypatch.chdir(tmp_path)

    def load_from(**variables: str) -> Settings:
        for name, value in {"JWT_SECRET": SECRET, **variables}.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load_from


@pytest.fixture
def refuse(load: Load) -> Callable[..., str]:
    """The message of the refusal of one variable: names it, its fix, and nothing else."""

    def refused(name: str, value: str, **others: str) -> str:
        with pytest.raises(SettingsError) as caught:
            load(**{name: value, **others})
        assert [problem[0] for problem in caught.value.problems] == [name]
        message = str(caught.value)
        assert message.startswith(f"The settings are wrong:\n  {name}: ")
        without_examples = re.sub(r'"[^"]*"|\'[^\']*\'', "", message)
        assert len(value) < 4 or value not in without_examples
        return message

    return refused


def test_the_defaults_are_those_of_the_contract(load: Load) -> None:
    settings = load()

    assert settings.model_dump(exclude={"jwt_secret", "smtp_password"}) == {
        "app_name": "app",
        "environment": "development",
        "database_url": "sqlite:///./app.db",
        "database_pool_size": 5,
        "redis_url": "",
        "jwt_staged_secret": None,
        "jwt_previous_secrets": [],
        "jwt_key_dates": {},
        "jwt_key_max_days": 365,
        "jwt_issuer": "app",
        "jwt_audience": "app",
        "access_token_minutes": 15,
        "refresh_token_days": 7,
        "password_reset_minutes": 60,
        "refresh_reuse_grace_seconds": 0,
        "bcrypt_cost": 12,
        "api_contact": "",
        "api_license": "",
        "cors_origins": [],
        "cors_headers": [],
        "hsts_include_subdomains": True,
        "allowed_hosts": ["*"],
        "trusted_proxies": [],
        "max_body_bytes": 65536,
        "docs_enabled": None,
        "rate_limit_enabled": True,
        "rate_limit_auth": "5/15 minutes",
        "rate_limit_password_reset": "3/hour",
        "rate_limit_general": "100/15 minutes",
        "rate_limit_account": "50/hour",
        "rate_limit_mailbox": "5/hour",
        "rate_limit_email_change": "3/hour",
        "smtp_host": "",
        "smtp_port": 587,
        "smtp_username": "",
        "smtp_starttls": True,
        "smtp_helo_name": "",
        "email_from": "no-reply@localhost",
        "email_ascii_only": False,
        "password_reset_url": "http://localhost:3000/reset-password",
        "email_change": "session",
        "email_change_url": "http://localhost:3000/confirm-email",
        "log_level": "info",
        "log_format": None,
        "log_health": True,
    }


def test_the_environment_wins_over_the_file_even_when_empty(load: Load, tmp_path: Path) -> None:
    file = "REDIS_URL=redis://other/0\nAPP_NAME=file\nJWT_SECRET=x\nUNKNOWN=ignored\n"
    (tmp_path / ".env").write_text(file)

    settings = load(REDIS_URL="")

    assert (settings.redis_url, settings.app_name) == ("", "file")
    assert settings.jwt_secret.get_secret_value() == SECRET


def test_all_problems_are_told_at_once(load: Load) -> None:
    with pytest.raises(SettingsError) as caught:
        load(BCRYPT_COST="99", SMTP_PORT="canary", JWT_SECRET="")

    assert {name for name, _ in caught.value.problems} == {"BCRYPT_COST", "SMTP_PORT", "JWT_SECRET"}
    assert "canary" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4


def test_a_missing_secret_is_named_with_its_mend(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load()
    monkeypatch.delenv("JWT_SECRET")

    with pytest.raises(SettingsError, match=r"JWT_SECRET: is not set; .*keys rotate"):
        load_settings()


REFUSED = [
    ("APP_NAME", ""),
    ("APP_NAME", "a\nb"),
    ("APP_NAME", "x" * 101),
    ("ENVIRONMENT", "prod"),
    ("ENVIRONMENT", ""),
    ("DATABASE_URL", ""),
    ("DATABASE_URL", "mysql://user:canary@host/name"),
    ("DATABASE_URL", "postgresql://"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "app.db"),
    ("DATABASE_URL", "sqlite:///app.db?canary=1"),
    ("DATABASE_URL", "sqlite:///app.db?mode=ro"),
    ("DATABASE_URL", "postgresql://user:canary@host:port/name"),
    ("DATABASE_URL", "postgresql://user:canary@host:5432,other:port/name"),
    ("DATABASE_URL", "postgresql://user:canary@[::1/name"),
    ("DATABASE_URL", "postgresql://user:can@ary@host/name"),
    ("DATABASE_URL", "postgresql://user:can#ary@host/name"),
    ("DATABASE_URL", "postgresql://user:can/ary@host/name"),
    ("DATABASE_URL", "postgresql://host/name?schema=canary"),
    ("DATABASE_URL", "postgresql://host/name?sslmode=require&connection_limit=1234"),
    ("DATABASE_URL", "postgresql://host/name?nobodys=canary"),
    ("DATABASE_URL", "postgresql://host/name?ssl=canary"),
    ("DATABASE_URL", "postgresql://host/name?sslmode=canary"),
    ("DATABASE_URL", "postgresql://host/name?target_session_attrs=canary"),
    ("DATABASE_URL", "postgresql://host/name?sslrootcert=/canary/root.crt"),
    ("DATABASE_URL", f"postgresql://host/name?sslrootcert={__file__}"),
    ("DATABASE_URL", "postgresql://host/name?canary"),
    ("DATABASE_URL", "postgresql://user:12?canary@host/name"),
    ("DATABASE_POOL_SIZE", "0"),
    ("DATABASE_POOL_SIZE", "101"),
    ("REDIS_URL", "localhost:6379"),
    ("REDIS_URL", "http://user:canary@host"),
    ("REDIS_URL", "redis://"),
    ("REDIS_URL", "redis://:canary@host:port/0"),
    ("REDIS_URL", "redis://:canary@[::1/0"),
    ("REDIS_URL", "redis://:can#ary@host:6379/0"),
    ("REDIS_URL", "redis://host:6379/0?socket_timeout=canary"),
    ("REDIS_URL", "redis://host:6379/0?canary=1"),
    ("REDIS_URL", "rediss://host:6379/0?ssl_cert_reqs=canary"),
    ("REDIS_URL", "redis+cluster://"),
    ("REDIS_URL", "redis+cluster://host:port"),
    ("REDIS_URL", "redis+cluster://:canary@host:6379,"),
    ("REDIS_URL", "redis+cluster://:can@ary@host:6379/1"),
    ("REDIS_URL", "redis+cluster://host/?db=1"),
    ("REDIS_URL", "redis+cluster://host?canary=1"),
    ("REDIS_URL", "redis+cluster://host?protocol=canary"),
    ("REDIS_URL", "redis+cluster://host?ssl_cert_reqs=canary"),
    ("REDIS_URL", "redis+cluster://:canary@[::1"),
    ("REDIS_URL", "redis+sentinel://:canary@host:26379"),
    ("REDIS_URL", "redis+sentinel://:can/ary@host:26379/service"),
    ("REDIS_URL", "redis+unix:///canary"),
    ("REDIS_URL", "memcached://canary"),
    ("JWT_SECRET", ""),
    ("JWT_SECRET", "   "),
    ("JWT_SECRET", "-----BEGIN PUBLIC KEY-----canary-----END PUBLIC KEY-----"),
    ("JWT_SECRET", "ssh-rsa AAAAcanary"),
    ("JWT_SECRET", "canary\udcff"),
    ("JWT_PREVIOUS_SECRETS", "ssh-rsa AAAAcanary"),
    ("JWT_STAGED_SECRET", "  "),
    ("JWT_STAGED_SECRET", "ssh-rsa AAAAcanary"),
    ("JWT_KEY_DATES", "canary"),
    ("JWT_KEY_DATES", "0123456789abcdef@canary"),
    ("JWT_KEY_DATES", "0123456789abcdef@2026-11-28T00:00:00"),
    ("JWT_KEY_MAX_DAYS", "-1"),
    ("JWT_ISSUER", ""),
    ("JWT_AUDIENCE", ""),
    ("ACCESS_TOKEN_MINUTES", "0"),
    ("ACCESS_TOKEN_MINUTES", "1441"),
    ("ACCESS_TOKEN_MINUTES", "fifteen"),
    ("REFRESH_TOKEN_DAYS", "0"),
    ("REFRESH_TOKEN_DAYS", "366"),
    ("PASSWORD_RESET_MINUTES", "0"),
    ("PASSWORD_RESET_MINUTES", "1441"),
    ("REFRESH_REUSE_GRACE_SECONDS", "-1"),
    ("REFRESH_REUSE_GRACE_SECONDS", "31"),
    ("BCRYPT_COST", "3"),
    ("BCRYPT_COST", "17"),
    ("BCRYPT_COST", "12.5"),
    ("API_CONTACT", "our support"),
    ("API_CONTACT", "api@localhost"),
    ("API_LICENSE", "Terms ftp://example.com"),
    ("API_LICENSE", "do_as_you_like!"),
    ("CORS_ORIGINS", "app.example.com"),
    ("CORS_ORIGINS", "https://app.example.com/"),
    ("CORS_ORIGINS", "https://"),
    ("CORS_ORIGINS", "https://user@app.example.com"),
    ("CORS_ORIGINS", "https://*.com"),
    ("CORS_ORIGINS", "https://*"),
    ("CORS_ORIGINS", "https://app.*.example.com"),
    ("CORS_ORIGINS", "https://*.*.example.com"),
    ("CORS_ORIGINS", "https://*example.com"),
    ("CORS_ORIGINS", "*://app.example.com"),
    ("CORS_ORIGINS", "capacitor://*"),
    ("CORS_ORIGINS", "app://"),
    ("CORS_ORIGINS", "app://page/index.html"),
    ("CORS_ORIGINS", "file://host"),
    ("CORS_ORIGINS", "https://app.example.com,null"),
    ("CORS_ORIGINS", "ftp://app.example.com"),
    ("CORS_ORIGINS", "https://app.example.com:port"),
    ("CORS_HEADERS", "*"),
    ("CORS_HEADERS", "x-tenant: 1"),
    ("CORS_HEADERS", "x tenant"),
    ("HSTS_INCLUDE_SUBDOMAINS", "never"),
    ("ALLOWED_HOSTS", "https://api.example.com"),
    ("ALLOWED_HOSTS", "api.example.com:8000"),
    ("ALLOWED_HOSTS", "api.*.com"),
    ("ALLOWED_HOSTS", "api example com"),
    ("ALLOWED_HOSTS", ".example.com"),
    ("ALLOWED_HOSTS", ""),
    ("ALLOWED_HOSTS", " , "),
    ("TRUSTED_PROXIES", "proxy.example.com"),
    ("TRUSTED_PROXIES", "10.0.0.0/33"),
    ("TRUSTED_PROXIES", "10.0.0.1,*"),
    ("MAX_BODY_BYTES", "1023"),
    ("MAX_BODY_BYTES", "64k"),
    ("DOCS_ENABLED", "perhaps"),
    ("RATE_LIMIT_ENABLED", ""),
    ("RATE_LIMIT_ENABLED", "perhaps"),
    ("RATE_LIMIT_AUTH", ""),
    ("RATE_LIMIT_AUTH", "five an hour"),
    ("RATE_LIMIT_AUTH", "0/hour"),
    ("RATE_LIMIT_AUTH", "5/0 minutes"),
    ("RATE_LIMIT_AUTH", "5/hour;100/day"),
    ("RATE_LIMIT_PASSWORD_RESET", "3/fortnight"),
    ("RATE_LIMIT_GENERAL", "-1/hour"),
    ("RATE_LIMIT_ACCOUNT", "50"),
    ("RATE_LIMIT_MAILBOX", "5"),
    ("RATE_LIMIT_EMAIL_CHANGE", "often"),
    ("SMTP_HOST", " "),
    ("SMTP_HOST", "smtp.example.com:587"),
    ("SMTP_HOST", "smtp://smtp.example.com"),
    ("SMTP_PORT", "0"),
    ("SMTP_PORT", "65536"),
    ("SMTP_STARTTLS", "perhaps"),
    ("SMTP_HELO_NAME", "my host"),
    ("SMTP_HELO_NAME", "api.example.com\r\nMAIL"),
    ("EMAIL_ASCII_ONLY", "perhaps"),
    ("EMAIL_FROM", "a@\u2488com.example"),
    ("EMAIL_FROM", ""),
    ("EMAIL_FROM", "no-reply"),
    ("EMAIL_FROM", "a@example.com\nBcc: b@example.com"),
    ("EMAIL_FROM", "My\nAPI <a@example.com>"),
    ("EMAIL_FROM", "My API a@example.com"),
    ("EMAIL_FROM", "My API <a@example.com"),
    ("EMAIL_FROM", "a@example.com, b@example.com"),
    ("EMAIL_CHANGE", "nothing"),
    ("EMAIL_CHANGE_URL", "javascript:alert(1)"),
    ("PASSWORD_RESET_URL", ""),
    ("PASSWORD_RESET_URL", "app.example.com/reset"),
    ("PASSWORD_RESET_URL", "javascript:alert(1)"),
    ("PASSWORD_RESET_URL", "https:///reset"),
    ("PASSWORD_RESET_URL", "https://[::1"),
    ("PASSWORD_RESET_URL", "https://user:canary@ex\u2100mple.com"),
    ("PASSWORD_RESET_URL", "https://app.example.com/re\nset"),
    ("PASSWORD_RESET_URL", "https://app.example.com/#reset"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("LOG_HEALTH", "perhaps"),
]


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=lambda text: repr(text)[:40])
def test_a_wrong_value_is_refused_and_not_shown(
    refuse: Callable[..., str], name: str, value: str
) -> None:
    assert "canary" not in refuse(name, value)


def test_every_setting_that_can_be_wrong_is_tried() -> None:
    anything_goes = {"SMTP_USERNAME", "SMTP_PASSWORD"}

    tried = {name for name, _ in REFUSED}

    assert tried | anything_goes == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        ("postgres://u:p@h:5432/n", "postgresql://u:p@h:5432/n"),
        ("postgresql://u:p@h/n?sslmode=require", "postgresql://u:p@h/n?sslmode=require"),
        ("postgresql+asyncpg://u@h/n", "postgresql://u@h/n"),
        ("postgresql:///n", "postgresql:///n"),
        ("postgresql://u:p@[::1]:5432/n", "postgresql://u:p@[::1]:5432/n"),
        ("postgresql://u:p%40@a:1,b:2/n", "postgresql://u:p%40@a:1,b:2/n"),
        ("postgresql://u:p:q@%2Frun%2Fpg/n", "postgresql://u:p:q@%2Frun%2Fpg/n"),
        ("postgresql+psycopg://u@h/n", "postgresql://u@h/n"),
        ("sqlite:///./app.db", "sqlite:///./app.db"),
        ("sqlite:////data/app.db", "sqlite:////data/app.db"),
        ("sqlite+aiosqlite:///app.db", "sqlite:///app.db"),
    ],
)
def test_a_database_url_is_taken_as_it_was_pasted(load: Load, pasted: str, kept: str) -> None:
    settings = load(DATABASE_URL=pasted)

    assert settings.database_url == kept
    assert settings.uses_postgresql == pasted.startswith("postgres")


def test_lists_are_separated_by_commas(load: Load) -> None:
    settings = load(
        CORS_ORIGINS=" https://App.example.com , http://localhost:3000,http://[::1],",
        ALLOWED_HOSTS="API.example.com,*.example.org,[::1]",
        TRUSTED_PROXIES="10.0.0.1/8, ::1,UNIX",
        JWT_PREVIOUS_SECRETS=" one,two ",
    )

    assert settings.cors_origins == [
        "https://app.example.com",
        "http://localhost:3000",
        "http://[::1]",
    ]
    assert settings.allowed_hosts == ["api.example.com", "*.example.org", "[::1]"]
    assert settings.trusted_proxies == [
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
        "unix",
    ]
    secrets = [secret.get_secret_value() for secret in settings.jwt_previous_secrets]
    assert secrets == ["one", "two"]
    assert load(CORS_ORIGINS="", ALLOWED_HOSTS="*", TRUSTED_PROXIES="").cors_origins == []


def test_origins_are_spelled_as_browsers_do(load: Load) -> None:
    pasted = "https://A.example:443,http://a.example:80,https://a.example:80,http://a.example:8080"

    assert load(CORS_ORIGINS=pasted).cors_origins == [
        "https://a.example",
        "http://a.example",
        "https://a.example:80",
        "http://a.example:8080",
    ]


def test_origins_of_apps_are_kept_as_they_are_but_for_the_scheme(load: Load) -> None:
    """Browsers keep the letters of such a host: Safari's extensions have upper-case ids."""
    pasted = (
        "Capacitor://localhost,safari-web-extension://1B2C-AF,app://-,https://*.Example.com:443"
    )

    assert load(CORS_ORIGINS=pasted).cors_origins == [
        "capacitor://localhost",
        "safari-web-extension://1B2C-AF",
        "app://-",
        "https://*.example.com",
    ]


@pytest.mark.parametrize("host", ["", "smtp.example.com", "mail_1", "127.0.0.1", "::1"])
def test_mail_servers(load: Load, host: str) -> None:
    assert load(SMTP_HOST=host).smtp_host == host


@pytest.mark.parametrize("sender", ["a@example.com", "<a@b>", "API <a@b>", '"My, API" <a@b>'])
def test_senders(load: Load, sender: str) -> None:
    assert load(EMAIL_FROM=sender).email_from == sender


def test_words_are_taken_in_any_case(load: Load) -> None:
    settings = load(
        ENVIRONMENT=" Test ", LOG_LEVEL="WARNING", LOG_FORMAT="JSON", RATE_LIMIT_ENABLED="False"
    )

    assert settings.environment is Environment.TEST
    assert (settings.log_level, settings.log_format) == ("warning", "json")
    assert settings.rate_limit_enabled is False


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:6379/0",
        "rediss://u:p@h/1",
        "rediss://:p@q@h/1?ssl_cert_reqs=none",
        "unix:///run/redis.sock",
        "valkey://h:6379/0",
        "valkeys://h/0",
        "redis+cluster://h",
        "redis+cluster://u:p%40@h:1,[::1]:2?ssl=true&ssl_ca_certs=/ca.pem",
        "redis+sentinel://:p@h:1,i/main-1?db=3&sentinel_password=q&protocol=2",
    ],
)
def test_redis_urls(load: Load, url: str) -> None:
    assert load(REDIS_URL=url).redis_url == url


def test_unset_choices_follow_the_environment(load: Load, production: dict[str, str]) -> None:
    development = load(DOCS_ENABLED="", LOG_FORMAT="")
    assert (development.serves_docs, development.json_logs) == (True, False)
    chosen = load(DOCS_ENABLED="false", LOG_FORMAT="json")
    assert (chosen.serves_docs, chosen.json_logs) == (False, True)
    live = load(**production, DOCS_ENABLED="", LOG_FORMAT="")
    assert (live.serves_docs, live.json_logs) == (False, True)
    assert load(DOCS_ENABLED="true", LOG_FORMAT="console").serves_docs is True


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://app.example.com/reset", "https://app.example.com/reset#token=TOKEN"),
        ("https://app.example.com/", "https://app.example.com/#token=TOKEN"),
        ("https://app.example.com/reset?token=", "https://app.example.com/reset?token=TOKEN"),
        ("https://app.example.com/#/reset?t=", "https://app.example.com/#/reset?t=TOKEN"),
    ],
)
def test_the_reset_link(load: Load, url: str, link: str) -> None:
    assert load(PASSWORD_RESET_URL=url).password_reset_link("TOKEN") == link


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://user@host/name?sslmode=require&password=canary"),
        ("DATABASE_URL", "postgresql://user@host/name?sslpassword=canary&sslmode=require"),
        ("REDIS_URL", "redis://:word@canary@host:6379/0"),
        ("REDIS_URL", "redis://host:6379/0?password=canary"),
        ("REDIS_URL", "redis+sentinel://u:canary@host:1/service?sentinel_password=canary"),
    ],
)
def test_a_url_hides_its_password_wherever_it_is(load: Load, name: str, url: str) -> None:
    shown = str(load(**{name: url}).redacted())

    assert "canary" not in shown
    assert "host" in shown


def test_settings_do_not_show_their_secrets(load: Load) -> None:
    settings = load(
        SMTP_PASSWORD="canary-1",
        JWT_PREVIOUS_SECRETS="canary-2",
        DATABASE_URL="postgresql://user:canary-3@host/name",
        REDIS_URL="redis://:canary-4@host:6379/0",
    )

    shown = str(settings.redacted())

    assert "canary" not in shown
    assert SECRET not in shown + repr(settings)
    assert "user" in shown
    assert not {"canary-1", "canary-2"} & set(repr(settings).split("'"))


@pytest.fixture
def production() -> dict[str, str]:
    """What production accepts."""
    return {
        "ENVIRONMENT": "production",
        "SMTP_HOST": "mail.example.com",
        "EMAIL_FROM": "no-reply@example.com",
        "PASSWORD_RESET_URL": "https://app.example.com/reset-password",
        "CORS_ORIGINS": "https://app.example.com",
        "ALLOWED_HOSTS": "api.example.com",
        "DATABASE_URL": "postgresql://user@host/name?sslmode=verify-full",
        "REDIS_URL": "rediss://host:6379/0",
        "EMAIL_CHANGE": "password",
    }


def test_production_starts_when_all_is_well(load: Load, production: dict[str, str]) -> None:
    settings = load(**production)

    assert settings.environment is Environment.PRODUCTION
    assert production_warnings(settings) == []


WEAK = [
    "x",
    "x" * 31,
    "x" * 100,
    "password" * 8,
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "1234567890" * 5,
    EXAMPLE_SECRET,
]


@pytest.mark.parametrize("secret", WEAK)
def test_production_refuses_a_weak_secret(
    refuse: Callable[..., str], production: dict[str, str], secret: str
) -> None:
    message = refuse("JWT_SECRET", secret, **production)
    assert "keys rotate" in message


@pytest.mark.parametrize("secret", ["", "  "])
def test_production_refuses_an_empty_secret(
    refuse: Callable[..., str], production: dict[str, str], secret: str
) -> None:
    refuse("JWT_SECRET", secret, **production)


def test_production_refuses_a_weak_secret_among_the_earlier_ones(
    refuse: Callable[..., str], production: dict[str, str]
) -> None:
    refuse("JWT_PREVIOUS_SECRETS", f"{SECRET[::-1]},{EXAMPLE_SECRET}", **production)


def test_production_refuses_a_weak_secret_that_is_staged(
    refuse: Callable[..., str], production: dict[str, str]
) -> None:
    refuse("JWT_STAGED_SECRET", EXAMPLE_SECRET, **production)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BCRYPT_COST", "11"),
        ("SMTP_HOST", ""),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://app.example.com,*"),
        ("CORS_ORIGINS", "https://app.example.com,http://app.example.com"),
        ("CORS_ORIGINS", "http://localhost:3000"),
        ("PASSWORD_RESET_URL", "http://localhost:3000/reset-password"),
        ("PASSWORD_RESET_URL", "http://app.example.com/reset-password"),
        ("EMAIL_FROM", "no-reply@localhost"),
        ("SMTP_STARTTLS", "false"),
    ],
)
def test_production_refuses_what_is_unsafe(
    refuse: Callable[..., str], production: dict[str, str], name: str, value: str
) -> None:
    production.pop(name, None)
    refuse(name, value, **production)


PHRASE = "super-secret-jwt-token-with-at-least-32-characters-long"
"""The secret of every Supabase on somebody's own machine."""


@pytest.mark.parametrize("secret", [PHRASE, PHRASE.upper()])
def test_production_refuses_a_secret_that_everybody_can_read(
    refuse: Callable[..., str], production: dict[str, str], secret: str
) -> None:
    refuse("JWT_SECRET", secret, **production)
    refuse("JWT_PREVIOUS_SECRETS", secret, **production)


def test_a_published_secret_is_not_refused_for_being_guessable(
    load: Load, production: dict[str, str]
) -> None:
    """Nothing but the list tells: so the list is what the test above shows."""
    assert load(**{**production, "JWT_SECRET": f"{PHRASE}-and-more"})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_mail_on_this_host_needs_no_tls(load: Load, production: dict[str, str], host: str) -> None:
    assert load(**{**production, "SMTP_HOST": host, "SMTP_STARTTLS": "false"})


def test_on_port_465_tls_comes_first(load: Load, production: dict[str, str]) -> None:
    assert load(**{**production, "SMTP_PORT": "465", "SMTP_STARTTLS": "false"})


@pytest.mark.parametrize(
    ("name", "url", "is_warned_of"),
    [
        ("DATABASE_URL", "postgresql://user:pass@db.example.com/name", True),
        ("DATABASE_URL", "postgresql://db.example.com:5432/name?sslmode=require", True),
        ("DATABASE_URL", "postgresql://localhost,db.example.com/name", True),
        ("DATABASE_URL", "postgresql:///name?host=db.example.com", True),
        ("DATABASE_URL", "postgresql://db.example.com/name?sslmode=verify-ca", False),
        ("DATABASE_URL", "postgresql://user@localhost:5432/name", False),
        ("DATABASE_URL", "postgresql://[::1]:5432/name", False),
        ("DATABASE_URL", "postgresql:///name?host=/run/postgresql", False),
        ("REDIS_URL", "redis://:pass@redis.example.com:6379/0", True),
        ("REDIS_URL", "valkey://redis.example.com", True),
        ("REDIS_URL", "redis+cluster://a.example.com:6379,b.example.com:6379", True),
        ("REDIS_URL", "redis+sentinel://a.example.com:26379/service", True),
        ("REDIS_URL", "redis+cluster://a.example.com:6379?ssl=true", False),
        ("REDIS_URL", "redis+sentinel://[::1]:26379,127.0.0.1:26380/service", False),
        ("REDIS_URL", "redis://127.0.0.1:6379/0", False),
        ("REDIS_URL", "unix:///run/redis/redis.sock", False),
    ],
)
def test_what_can_be_read_on_its_way_to_another_host_is_warned_of(
    load: Load, production: dict[str, str], name: str, url: str, is_warned_of: bool
) -> None:
    warnings = production_warnings(load(**{**production, name: url}))

    assert [name for name, _ in warnings] == [name] * is_warned_of


@pytest.mark.parametrize("blank", ["\n", " ", "\r\n"])
def test_blanks_at_the_ends_of_a_secret_count_nowhere(load: Load, blank: str) -> None:
    settings = load(JWT_SECRET=f"{SECRET}{blank}", JWT_PREVIOUS_SECRETS=f"one-more{blank},{blank}")

    assert settings.jwt_secret.get_secret_value() == SECRET
    assert [name for name, _ in general_warnings(settings)] == ["JWT_SECRET"]
    # What an earlier version signed with them still verifies.
    previous = [secret.get_secret_value() for secret in settings.jwt_previous_secrets]
    assert previous == ["one-more", f"{SECRET}{blank}"]
    assert general_warnings(load()) == []


def test_development_starts_with_what_production_refuses(load: Load) -> None:
    assert load(JWT_SECRET="x", BCRYPT_COST="4", CORS_ORIGINS="*", SMTP_HOST="")


def test_production_warns_of_what_it_allows(load: Load, production: dict[str, str]) -> None:
    allowed = {
        "DATABASE_URL": "sqlite:///./app.db",
        "REDIS_URL": "",
        "ALLOWED_HOSTS": "*",
        "EMAIL_CHANGE": "session",
    }

    warnings = production_warnings(load(**{**production, **allowed}))
    assert {name for name, _ in warnings} == allowed.keys()
    warnings = production_warnings(load(RATE_LIMIT_ENABLED="false"))
    assert "RATE_LIMIT_ENABLED" in [name for name, _ in warnings]


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "10.0.0.0/8,::/0", "0.0.0.0/1,128.0.0.0/1"])
def test_to_trust_everybody_s_address_is_warned_of(load: Load, everybody: str) -> None:
    warnings = production_warnings(load(TRUSTED_PROXIES=everybody))
    assert "TRUSTED_PROXIES" in [name for name, _ in warnings]
    warnings = production_warnings(load(TRUSTED_PROXIES="10.0.0.0/8"))
    assert "TRUSTED_PROXIES" not in [name for name, _ in warnings]


@given(st.text() | st.from_regex(r"[0-9]{1,30}(/| per )[0-9 ]{0,20} ?[a-z]{1,8}", fullmatch=True))
def test_a_rate_is_read_or_refused(text: str) -> None:
    try:
        rate = check_rate(text)
    except ValueError:
        return
    assert rate == text
    assert any(map(str.isdigit, rate))


@given(st.text() | st.text().map("https://".__add__))
def test_an_origin_is_read_or_refused(text: str) -> None:
    try:
        origin = _check_origin(text)
    except ValueError:
        return
    assert origin == "*" or re.match(r"[a-z][a-z0-9+.-]*://.", origin)
    assert origin.isprintable()
    assert not set(origin) & set(" @?#,")


@given(st.text())
def test_a_host_is_read_or_refused(text: str) -> None:
    try:
        host = _check_host(text)
    except ValueError:
        return
    assert host == host.lower()
    assert not set(host) & set("/@?# ")


@given(st.binary(min_size=32, max_size=64))
@hypothesis.settings(max_examples=10)  # zxcvbn takes its time
def test_a_random_secret_is_not_weak(secret: bytes) -> None:
    text = base64.urlsafe_b64encode(secret).decode()
    if len(set(secret)) > 20:
        assert not is_weak_secret(text)
