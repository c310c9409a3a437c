"""How settings are written: the kinds of values, and what is said about a wrong one."""

import ipaddress
import re
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

import limits
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from app.foundation.checks.database_url import check_database_url
from app.foundation.checks.redis_urls import parse_redis_url

UNIX_SOCKET: Final = "unix"
"""In TRUSTED_PROXIES: every connection by a Unix socket, which has no address."""

_SITE: Final = (
    r"([A-Za-z0-9._-]+|\*\.([A-Za-z0-9_-]+\.)+[A-Za-z0-9_-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
)
"""The host of an http or https origin. `*.` stands for all subdomains of a domain with two labels
or more: "https://*.com" would be everybody."""

_APP_SCHEME: Final = r"(?!(?:https?|wss?|ftp|file|data|blob|javascript)$)[a-z][a-z0-9+.-]*"
"""Of an app that brings its own browser, or of an extension; not one of the network's."""

_APP_HOST: Final = r"[A-Za-z0-9._-]+(:[0-9]{1,5})?"


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def check_rate(rate: str) -> str:
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
    """Accept an origin, spelled as browsers do: a site's in lower case and without its scheme's own
    port; an app's ("capacitor://localhost", "chrome-extension://…") as it is, but for the scheme.
    """
    scheme, _, host = origin.partition("://")
    scheme = scheme.lower()
    if origin == "*" or (scheme in {"http", "https"} and re.fullmatch(_SITE, host)):
        return origin.lower().removesuffix(":443" if scheme == "https" else ":80")
    if re.fullmatch(_APP_SCHEME, scheme) and re.fullmatch(_APP_HOST, host):
        return f"{scheme}://{host}"
    raise ValueError(
        'write each origin as "https://app.example.com", without a path, as '
        '"https://*.example.com" or as "capacitor://localhost"'
    )


def _check_header_name(name: str) -> str:
    if not re.fullmatch(r"[!#$%&'+.^_`|~0-9A-Za-z-]+", name):
        raise ValueError('write each header by its name, "traceparent"')
    return name


def _check_host(host: str) -> str:
    if not re.fullmatch(r"\*|(\*\.)?[A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]", host):
        raise ValueError('write each host as "api.example.com" or "*.example.com", without a port')
    return host.lower().removesuffix(".")


def _check_allowed_hosts(hosts: list[str]) -> list[str]:
    if not hosts:
        raise ValueError('is empty, nobody would be served; list your host names, or write "*"')
    return hosts


def trimmed(secret: SecretStr) -> SecretStr:
    """Without the blanks and line breaks at its ends: `echo` adds one, a list can't hold them."""
    return SecretStr(secret.get_secret_value().strip())


def with_untrimmed(previous: object, secret: object) -> object:
    """The earlier secrets, and the signing one with the blanks at its ends: tokens that were signed
    with the blanks still verify."""
    if not isinstance(secret, str) or secret.strip() in {secret, ""}:
        return previous
    earlier = _split_commas(previous or [])
    return [*earlier, secret] if isinstance(earlier, list) else previous


def read_key_dates(value: object) -> object:
    """The date behind each key id: "1e19377f0ddce42d@2026-11-28T00:00:00Z"."""
    if not isinstance(value, str):
        return value
    try:
        pairs = [entry.strip().split("@") for entry in value.split(",") if entry.strip()]
        dates = {kid: datetime.fromisoformat(date) for kid, date in pairs}
        if any(date.tzinfo is None for date in dates.values()):
            raise ValueError
    except ValueError:
        raise ValueError(
            'write each as "key id@2026-11-28T00:00:00Z", or leave it to `app.manage keys`'
        ) from None
    return dates


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


def _parse_proxy(proxy: object) -> object:
    if str(proxy).lower() == UNIX_SOCKET:
        return UNIX_SOCKET
    try:
        return ipaddress.ip_network(str(proxy), strict=False)
    except ValueError:
        raise ValueError(
            'write each proxy as an address or a network, "10.0.0.0/8", or "unix" for a Unix socket'
        ) from None


def _check_redis_url(url: str) -> str:
    if url:
        parse_redis_url(url)
    return url


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


AnyCase = BeforeValidator(_lower)
EmptyIsUnset = BeforeValidator(_none_if_empty)
CommaSeparated = BeforeValidator(_split_commas)

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Proxy: TypeAlias = Network | Literal["unix"]
Proxies = Annotated[list[Annotated[Proxy, BeforeValidator(_parse_proxy)]], NoDecode, CommaSeparated]
Origins = Annotated[list[Annotated[str, AfterValidator(_check_origin)]], NoDecode, CommaSeparated]
HeaderNames = Annotated[
    list[Annotated[str, AfterValidator(_check_header_name)]], NoDecode, CommaSeparated
]
Hosts = Annotated[
    list[Annotated[str, AfterValidator(_check_host)]],
    NoDecode,
    CommaSeparated,
    AfterValidator(_check_allowed_hosts),
]
Secret = Annotated[SecretStr, AfterValidator(trimmed), AfterValidator(check_key)]
Secrets = Annotated[list[Annotated[SecretStr, AfterValidator(check_key)]], NoDecode, CommaSeparated]
KeyDates = Annotated[dict[str, datetime], NoDecode, BeforeValidator(read_key_dates)]
Rate = Annotated[str, AfterValidator(check_rate)]
DatabaseUrl = Annotated[str, AfterValidator(check_database_url)]
RedisUrl = Annotated[str, AfterValidator(_check_redis_url)]
PrintableName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
