"""Every setting of this API: its meaning, its default, and the values that are refused.

Values come from the environment, then from `.env`; a variable in the environment, even an empty
one, wins. `.env.example` documents each. A wrong value stops the start and names the variable
and the fix, never the value itself.

A folder of the app can have settings of its own, see `app/foundation/checks/part_settings.py`.
"""

import re
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app.foundation.checks import formats, people_and_pages
from app.foundation.checks.part_settings import SOURCES, PartSettings, kinds_of_parts
from app.foundation.checks.production import production_problems

UNREADABLE_ENV_FILE: Final = ".env can't be read; save it as UTF-8, readable by this user"


class Environment(StrEnum):
    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class SettingsError(Exception):
    """Some settings are wrong; `problems` maps each variable to what is wrong and the fix."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        lines = [f"  {name}: {problem}" if name else f"  {problem}" for name, problem in problems]
        super().__init__("\n".join(["The settings are wrong:", *lines]))


Part = TypeVar("Part", bound=PartSettings)


class Settings(BaseSettings):
    """The settings, one field a variable: `jwt_secret` is `JWT_SECRET`."""

    model_config = SOURCES

    _parts: dict[type[PartSettings], PartSettings] = PrivateAttr(default_factory=dict)

    app_name: formats.PrintableName = "app"
    environment: Annotated[Environment, formats.AnyCase] = Environment.DEVELOPMENT
    database_url: formats.DatabaseUrl = "sqlite:///./app.db"
    database_pool_size: int = Field(5, ge=1, le=100)
    redis_url: formats.RedisUrl = ""

    jwt_secret: formats.Secret
    jwt_staged_secret: Annotated[formats.Secret | None, formats.EmptyIsUnset] = None
    jwt_previous_secrets: formats.Secrets = []
    jwt_key_dates: formats.KeyDates = {}
    jwt_key_max_days: int = Field(365, ge=0)
    jwt_issuer: str = Field("app", min_length=1)
    jwt_audience: str = Field("app", min_length=1)
    access_token_minutes: int = Field(15, ge=1, le=24 * 60)
    refresh_token_days: int = Field(7, ge=1, le=365)
    password_reset_minutes: int = Field(60, ge=1, le=24 * 60)
    refresh_reuse_grace_seconds: int = Field(0, ge=0, le=30)
    bcrypt_cost: int = Field(12, ge=4, le=16)

    cors_origins: formats.Origins = []
    cors_headers: formats.HeaderNames = []
    """Headers that browsers may send besides Authorization, Content-Type and X-Request-ID."""
    allowed_hosts: formats.Hosts = ["*"]
    trusted_proxies: formats.Proxies = []
    max_body_bytes: int = Field(65536, ge=1024)
    hsts_include_subdomains: bool = True
    docs_enabled: Annotated[bool | None, formats.EmptyIsUnset] = None
    """The interactive documentation; unset, it is on everywhere but in production."""
    api_contact: people_and_pages.Contact = ""
    api_license: people_and_pages.License = ""

    rate_limit_enabled: bool = True
    rate_limit_auth: formats.Rate = "5/15 minutes"
    rate_limit_password_reset: formats.Rate = "3/hour"  # noqa: S105
    rate_limit_general: formats.Rate = "100/15 minutes"
    rate_limit_account: formats.Rate = "50/hour"
    rate_limit_mailbox: formats.Rate = "5/hour"
    rate_limit_email_change: formats.Rate = "3/hour"

    smtp_host: people_and_pages.SmtpHost = ""
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_starttls: bool = True
    smtp_helo_name: people_and_pages.HeloName = ""
    email_from: people_and_pages.Sender = "no-reply@localhost"
    email_ascii_only: bool = False
    """Refuse addresses that only a mail server with SMTPUTF8 can send to: jösé@example.com."""
    password_reset_url: people_and_pages.Link = "http://localhost:3000/reset-password"  # noqa: S105

    email_change: Annotated[Literal["session", "password", "confirm"], formats.AnyCase] = "session"
    """What users need to change their address: only the session; a fresh one, or the password; the
    same, and a link mailed to the new address."""
    email_change_url: people_and_pages.Link = "http://localhost:3000/confirm-email"

    log_level: Annotated[Literal["debug", "info", "warning", "error"], formats.AnyCase] = "info"
    log_format: Annotated[
        Literal["console", "json"] | None, formats.EmptyIsUnset, formats.AnyCase
    ] = None
    """Unset, it is `json` in production and `console` elsewhere."""
    log_health: bool = True

    @model_validator(mode="before")
    @classmethod
    def _keep_untrimmed_secret(cls, values: Any) -> Any:
        name = "jwt_previous_secrets"
        previous = formats.with_untrimmed(values.get(name, []), values.get("jwt_secret"))
        return {**values, name: previous}

    @model_validator(mode="after")
    def _check_production(self) -> Self:
        if self.environment is Environment.PRODUCTION:
            problems = production_problems(self)
            if problems:
                raise SettingsError(problems)
        return self

    @property
    def trims_secret(self) -> bool:
        """JWT_SECRET is written with blanks or a line break at an end, which do not count."""
        known = (secret.get_secret_value() for secret in self.jwt_previous_secrets)
        return any(secret != secret.strip() for secret in known)

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

    @property
    def uses_postgresql(self) -> bool:
        return self.database_url.startswith("postgresql://")

    def part(self, kind: type[Part]) -> Part:
        """The settings that a folder of the app adds, by their class."""
        part = self._parts[kind]
        assert isinstance(part, kind)  # noqa: S101  # nosec B101
        return part

    def password_reset_link(self, token: str) -> str:
        return _link(self.password_reset_url, token)

    def email_change_link(self, token: str) -> str:
        return _link(self.email_change_url, token)

    def redacted(self) -> dict[str, Any]:
        """Every setting by the name of its variable, without secrets and passwords of URLs."""
        shown = self.model_dump(mode="json")
        for part in self._parts.values():
            shown |= part.model_dump(mode="json")
        for name in ("database_url", "redis_url"):
            shown[name] = re.sub(r"(//[^:/@]*:).*@", r"\1**********@", shown[name])
            shown[name] = re.sub(r"([?&]\w*passw\w*=)[^&]*", r"\1**********", shown[name])
        return {name.upper(): value for name, value in shown.items()}


def _link(url: str, token: str) -> str:
    """A page of the frontend with a token: in the fragment, which no server logs."""
    return url + token if url.endswith("=") else f"{url}#token={token}"


def load_settings(**values: Any) -> Settings:
    """Read the settings; keyword arguments win over the environment and `.env`.

    Raises:
        SettingsError: naming every wrong variable and how to fix it, without its value.
    """
    problems: list[tuple[str, str]] = []
    loaded: list[Any] = []
    for kind in _kinds():
        try:
            loaded.append(kind(**values))
        except ValidationError as error:
            problems += [_describe(problem) for problem in error.errors()]
        except SettingsError as error:
            problems += error.problems
        except (OSError, UnicodeDecodeError):
            raise SettingsError([("", UNREADABLE_ENV_FILE)]) from None
    if problems:
        raise SettingsError(problems)
    settings: Settings = loaded.pop(0)
    settings._parts.update({type(part): part for part in loaded})  # noqa: SLF001 - our own
    return settings


def all_fields() -> dict[str, FieldInfo]:
    """Every setting there is, those of the folders too, by the name of its field."""
    return {name: field for kind in _kinds() for name, field in kind.model_fields.items()}


def _kinds() -> list[type[BaseSettings]]:
    return [Settings, *kinds_of_parts()]


def _describe(problem: Any) -> tuple[str, str]:
    name = str(problem["loc"][0]).upper() if problem["loc"] else ""
    if problem["type"] == "missing":
        return name, "is not set; `python -m app.manage keys rotate` makes one"
    if problem["type"] == "value_error":  # one of ours
        return name, problem["msg"].removeprefix("Value error, ")
    return name, f"is wrong: {problem['msg'][0].lower()}{problem['msg'][1:]}"
