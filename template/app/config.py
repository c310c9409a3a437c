"""Every setting of this API: its meaning, its default, and what is refused.

Values come from the environment, then from `.env`; a variable in the environment, even an empty
one, wins. `.env.example` documents each. A wrong value stops the start and names the variable
and the mend, never the value itself.
"""

import ipaddress
import re
from email.utils import parseaddr
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

import limits
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError
from zxcvbn import zxcvbn

MIN_SECRET_BYTES: Final = 32
"""An HS256 key is at least as long as the hash, 256 bits (RFC 7518 §3.2)."""

MIN_SECRET_GUESSES_LOG10: Final = 20
"""A secret that zxcvbn guesses in fewer tries than 10^20 is made of words and repetitions."""

MIN_PRODUCTION_BCRYPT_COST: Final = 12

EXAMPLE_SECRET: Final = "change-me-to-32-or-more-random-bytes"  # noqa: S105
"""The placeholder in `.env.example`, refused in production."""

UNREADABLE_ENV_FILE: Final = ".env can't be read; save it as UTF-8, readable by this user"


_HOST: Final = r"(?:[^\[\]:@/?#,]*|\[[0-9A-Fa-f:.%]+\])(?::[0-9]{1,5})?"
_POSTGRESQL: Final = re.compile(
    rf"postgres(?:ql)?(?:\+\w+)?://(?=.)(?:[^@/?#]*@)?{_HOST}(?:,{_HOST})*(?:[/?].*)?"
)
"""With one host or several. A password's @ : / ? # end it early, unless they are encoded."""


class Environment(StrEnum):
    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class SettingsError(Exception):
    """Some settings are wrong; `problems` maps each variable to what is wrong and the mend."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        lines = [f"  {name}: {problem}" if name else f"  {problem}" for name, problem in problems]
        super().__init__("\n".join(["The settings are wrong:", *lines]))


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _check_rate(rate: str) -> str:
    """Accept one rate in the notation of the limits library: `5/15 minutes`, `3/hour`."""
    try:
        items = limits.parse_many(rate)
    except ValueError:
        items = []
    # The library reads "5/0 minutes" as "5/minute".
    if len(items) != 1 or items[0].amount < 1 or re.search(r"(/|per)\s*0", rate, re.IGNORECASE):
        raise ValueError('write one rate, for example "5/15 minutes" or "3/hour"')
    return rate


def _check_origin(origin: str) -> str:
    """Accept an origin, spelled as browsers do: in lower case, without the scheme's own port."""
    if not re.fullmatch(r"\*|https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", origin):
        raise ValueError('write each origin as "https://app.example.com", without a path')
    origin = origin.lower()
    return origin.removesuffix(":443" if origin.startswith("https") else ":80")


def _check_host(host: str) -> str:
    if not re.fullmatch(r"\*|(\*\.)?[A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]", host):
        raise ValueError('write each host as "api.example.com" or "*.example.com", without a port')
    return host.lower()


def check_key(secret: SecretStr) -> SecretStr:
    """Accept what HS256 can sign with."""
    if not secret.get_secret_value().strip():
        raise ValueError("is empty; `python -m app.manage keys rotate` makes one")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret.get_secret_value())
    except (InvalidKeyError, UnicodeError):
        raise ValueError(
            "can't sign with a key pair's half, nor with bytes that are not UTF-8; "
            "run `python -m app.manage keys rotate`"
        ) from None
    return secret


def _parse_network(network: object) -> object:
    try:
        return ipaddress.ip_network(str(network), strict=False)
    except ValueError:
        raise ValueError('write each proxy as an address or a network, "10.0.0.0/8"') from None


Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Rate = Annotated[str, AfterValidator(_check_rate)]
CommaSeparated = BeforeValidator(_split_commas)
Origins = Annotated[list[Annotated[str, AfterValidator(_check_origin)]], NoDecode, CommaSeparated]
Hosts = Annotated[list[Annotated[str, AfterValidator(_check_host)]], NoDecode, CommaSeparated]
Networks = Annotated[
    list[Annotated[Network, BeforeValidator(_parse_network)]], NoDecode, CommaSeparated
]
Secret = Annotated[SecretStr, AfterValidator(check_key)]
Secrets = Annotated[list[Secret], NoDecode, CommaSeparated]


class Settings(BaseSettings):
    """The settings, one field a variable: `jwt_secret` is `JWT_SECRET`."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    app_name: str = Field("app", min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    environment: Environment = Environment.DEVELOPMENT
    database_url: str = "sqlite:///./app.db"
    redis_url: str = ""

    jwt_secret: Secret
    jwt_previous_secrets: Secrets = []
    jwt_issuer: str = Field("app", min_length=1)
    jwt_audience: str = Field("app", min_length=1)
    access_token_minutes: int = Field(15, ge=1, le=24 * 60)
    refresh_token_days: int = Field(7, ge=1, le=365)
    password_reset_minutes: int = Field(60, ge=1, le=24 * 60)
    refresh_reuse_grace_seconds: int = Field(0, ge=0, le=30)
    bcrypt_cost: int = Field(12, ge=4, le=16)

    cors_origins: Origins = []
    allowed_hosts: Hosts = ["*"]
    trusted_proxies: Networks = []
    max_body_bytes: int = Field(65536, ge=1024)
    docs_enabled: bool | None = None
    """The interactive documentation; unset, it is on everywhere but in production."""

    rate_limit_enabled: bool = True
    rate_limit_auth: Rate = "5/15 minutes"
    rate_limit_password_reset: Rate = "3/hour"  # noqa: S105
    rate_limit_general: Rate = "100/15 minutes"
    rate_limit_account: Rate = "50/hour"

    smtp_host: str = ""
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_starttls: bool = True
    email_from: str = "no-reply@localhost"
    password_reset_url: str = "http://localhost:3000/reset-password"  # noqa: S105

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] | None = None
    """Unset, it is `json` in production and `console` elsewhere."""

    @field_validator("environment", "log_level", "log_format", mode="before")
    @classmethod
    def _ignore_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("docs_enabled", "log_format", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str) -> str:
        if _POSTGRESQL.fullmatch(url):
            return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
        if re.match(r"sqlite(\+\w+)?:///(?!:memory:).", url):
            return re.sub(r"^sqlite(\+\w+)?://", "sqlite://", url)
        raise ValueError(
            'write "postgresql://user:password@host:5432/name" or "sqlite:///./app.db" (a file); '
            "in a password, write @ / ? # as %40 %2F %3F %23"
        )

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str) -> str:
        if url and not _is_redis_url(url):
            raise ValueError(
                'write "redis://host:6379/0", or leave it empty for limits in memory; '
                "in a password, write / ? # as %2F %3F %23"
            )
        return url

    @field_validator("allowed_hosts")
    @classmethod
    def _check_allowed_hosts(cls, hosts: list[str]) -> list[str]:
        if not hosts:
            raise ValueError('is empty, nobody would be served; list your host names, or write "*"')
        return hosts

    @field_validator("smtp_host")
    @classmethod
    def _check_smtp_host(cls, host: str) -> str:
        if not re.fullmatch(r"[\w.-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", host):
            raise ValueError('write the name alone, "smtp.example.com"; the port is SMTP_PORT')
        return host

    @field_validator("email_from")
    @classmethod
    def _check_email_from(cls, sender: str) -> str:
        _, address = parseaddr(sender)
        whole = sender == address or sender.endswith(f"<{address}>")
        if not (whole and sender.isprintable() and re.fullmatch(r"[^@\s]+@[^@\s]+", address)):
            raise ValueError('write "no-reply@example.com" or "My API <no-reply@example.com>"')
        return sender

    @field_validator("password_reset_url")
    @classmethod
    def _check_password_reset_url(cls, url: str) -> str:
        clean = url.isprintable() and " " not in url
        if not clean or not _is_web_address(url):
            raise ValueError('write the page of your frontend, "https://app.example.com/reset"')
        if "#" in url and not url.endswith("="):
            raise ValueError('end a URL with a fragment in "=", the token is put there')
        return url

    @model_validator(mode="after")
    def _check_production(self) -> Self:
        if self.environment is Environment.PRODUCTION:
            problems = production_problems(self)
            if problems:
                raise SettingsError(problems)
        return self

    @cached_property
    def json_logs(self) -> bool:
        if self.log_format is None:
            return self.environment is Environment.PRODUCTION
        return self.log_format == "json"

    @cached_property
    def serves_docs(self) -> bool:
        if self.docs_enabled is None:
            return self.environment is not Environment.PRODUCTION
        return self.docs_enabled

    def redacted(self) -> dict[str, Any]:
        """Every setting by the name of its variable, without secrets and passwords of URLs."""
        shown = self.model_dump(mode="json")
        for name in ("database_url", "redis_url"):
            shown[name] = re.sub(r"(//[^:/@]*:).*@", r"\1**********@", shown[name])
            shown[name] = re.sub(r"([?&]\w*passw\w*=)[^&]*", r"\1**********", shown[name])
        return {name.upper(): value for name, value in shown.items()}

    def password_reset_link(self, token: str) -> str:
        """The page of the frontend with the token: in the fragment, which no server logs."""
        if self.password_reset_url.endswith("="):
            return self.password_reset_url + token
        return f"{self.password_reset_url}#token={token}"

    @property
    def uses_postgresql(self) -> bool:
        return self.database_url.startswith("postgresql://")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # its text can quote the value
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _is_redis_url(url: str) -> bool:
    """Try it out, options included; makes a connection's settings, and connects to nothing."""
    try:
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
    except (RedisError, ValueError, TypeError):
        return False
    return re.match(r"rediss?://.|unix://.", url) is not None


def is_weak_secret(secret: str) -> bool:
    """Tell whether a signing secret is too short for HS256, the example, or guessable."""
    if secret == EXAMPLE_SECRET or len(secret.encode()) < MIN_SECRET_BYTES:
        return True
    return bool(zxcvbn(secret[:64])["guesses_log10"] < MIN_SECRET_GUESSES_LOG10)


def production_problems(settings: Settings) -> list[tuple[str, str]]:
    """List what production refuses, as (variable, what is wrong and the mend)."""
    problems = []
    rotate = "run `python -m app.manage keys rotate`"
    if is_weak_secret(settings.jwt_secret.get_secret_value()):
        problems.append(("JWT_SECRET", f"is too short, guessable or the example; {rotate}"))
    if any(is_weak_secret(old.get_secret_value()) for old in settings.jwt_previous_secrets):
        problems.append(("JWT_PREVIOUS_SECRETS", "holds a weak secret; remove it"))
    if settings.bcrypt_cost < MIN_PRODUCTION_BCRYPT_COST:
        problems.append(("BCRYPT_COST", f"is under {MIN_PRODUCTION_BCRYPT_COST}; raise it"))
    if not settings.smtp_host:
        problems.append(("SMTP_HOST", "is empty, reset links would be printed; name the server"))
    if "*" in settings.cors_origins:
        problems.append(("CORS_ORIGINS", "is *, every site could call; list your origins"))
    return problems


def production_warnings(settings: Settings) -> list[tuple[str, str]]:
    """List what production allows but its owner should know."""
    warnings = []
    if not settings.uses_postgresql:
        warnings.append(
            ("DATABASE_URL", "is SQLite, for one host and one writer; name a PostgreSQL database")
        )
    if not settings.redis_url and settings.rate_limit_enabled:
        warnings.append(("REDIS_URL", "is empty, each worker counts its own limits; name a Redis"))
    if not settings.rate_limit_enabled:
        warnings.append(
            ("RATE_LIMIT_ENABLED", "is false, nothing slows down guessing; set it to true")
        )
    if "*" in settings.allowed_hosts:
        warnings.append(
            ("ALLOWED_HOSTS", "is *, any Host header is accepted; list your host names")
        )
    if _are_everybody(settings.trusted_proxies):
        warnings.append(
            ("TRUSTED_PROXIES", "is everybody, who then choose their address; list your proxies")
        )
    return warnings


def _are_everybody(networks: list[Network]) -> bool:
    """Tell whether they make up all of IPv4 or of IPv6, in one piece or in several."""
    ipv4 = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    ipv6 = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return any(network.prefixlen == 0 for network in ipaddress.collapse_addresses(ipv4)) or any(
        network.prefixlen == 0 for network in ipaddress.collapse_addresses(ipv6)
    )


def load_settings(**values: Any) -> Settings:
    """Read the settings; keyword arguments win over the environment and `.env`.

    Raises:
        SettingsError: naming every wrong variable and how to mend it, without its value.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError([_describe(problem) for problem in error.errors()]) from None
    except (OSError, UnicodeDecodeError):
        raise SettingsError([("", UNREADABLE_ENV_FILE)]) from None


def _describe(problem: Any) -> tuple[str, str]:
    name = str(problem["loc"][0]).upper() if problem["loc"] else ""
    if problem["type"] == "missing":
        return name, "is not set; `python -m app.manage keys rotate` makes one"
    if problem["type"] == "value_error":  # one of ours
        return name, problem["msg"].removeprefix("Value error, ")
    return name, f"is wrong: {problem['msg'][0].lower()}{problem['msg'][1:]}"
