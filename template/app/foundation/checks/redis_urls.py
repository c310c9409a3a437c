"""How REDIS_URL names a Redis: a server, a cluster, or sentinels who know the main server."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

_SEVERAL: Final = re.compile(
    r"[^:]+://(?:(?P<credentials>[^@/?#]*)@)?(?P<hosts>[^@/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
"""A URL with several hosts. From Python 3.14 on `urlsplit` refuses two of which one is IPv6."""

_DEFAULT_PORTS: Final = {"cluster": 6379, "sentinel": 26379}
_OPTIONS: Final = {
    *("ssl", "ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"),
    *("protocol", "db", "sentinel_username", "sentinel_password"),
}
_SENTINELS: Final = "sentinel_"
_TRUE: Final = {"true", "yes", "1"}
_CERTIFICATES: Final = {"none", "optional", "required"}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where counters are kept.

    Args:
        options: of the connections, by the names of redis-py.
        sentinel_options: of those to the sentinels, who have passwords of their own.
    """

    kind: Literal["server", "cluster", "sentinel"]
    url: str
    hosts: str = ""
    service: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    sentinel_options: tuple[tuple[str, Any], ...] = ()


def parse_redis_url(url: str) -> RedisAddress:
    """
    Raises:
        ValueError: says how to write it, and never what was written.
    """
    url = re.sub(r"^valkey", "redis", url)
    if match := re.match(r"redis\+(cluster|sentinel)://", url):
        return _parse_hosts("cluster" if match[1] == "cluster" else "sentinel", url)
    if not _is_server_url(url):
        raise ValueError(
            'write "redis://host:6379/0", or leave it empty for limits in memory; '
            "in a password, write / ? # as %2F %3F %23"
        )
    return RedisAddress("server", url)


def _is_server_url(url: str) -> bool:
    """Try it out, options included; makes a connection's settings, and connects to nothing."""
    from redis.asyncio import ConnectionPool  # noqa: PLC0415 - not needed for limits in memory
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
    except (RedisError, ValueError, TypeError):
        return False
    return re.match(r"rediss?://.|unix://.", url) is not None


def _parse_hosts(kind: Literal["cluster", "sentinel"], url: str) -> RedisAddress:
    example = "redis+cluster://host:6379,host:6379"
    if kind == "sentinel":
        example = "redis+sentinel://host:26379,host:26379/service"
    try:
        if (parts := _SEVERAL.fullmatch(url)) is None:
            raise ValueError
        located = ",".join(_located(host, kind) for host in parts["hosts"].split(","))
    except ValueError:  # its text can quote the value
        raise ValueError(f'write "{example}"') from None
    service = (parts["path"] or "").strip("/")
    if bool(re.fullmatch(r"[\w.-]+", service)) is not (kind == "sentinel"):
        raise ValueError(f'write "{example}"')
    options, sentinel_options = _options(parts["query"] or "")
    if kind == "cluster" and (sentinel_options or "db" in options):
        raise ValueError("a cluster has one database and no sentinels; leave out these options")
    username, _, password = (parts["credentials"] or "").partition(":")
    login = {"username": unquote(username) or None, "password": unquote(password) or None}
    options |= {name: value for name, value in login.items() if value}
    pairs = (tuple(options.items()), tuple(sentinel_options.items()))
    return RedisAddress(kind, url, located, service, *pairs)


def _located(host: str, kind: str) -> str:
    """A host with its port, or ValueError."""
    parts = urlsplit(f"//{host.strip()}")
    if not parts.hostname or parts.username is not None:
        raise ValueError
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{name}:{parts.port or _DEFAULT_PORTS[kind]}"


def _options(query: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of the servers, and those of the sentinels."""
    options: dict[str, Any] = {}
    sentinels: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ValueError(f"has an option that is not known here; known are {_known()}")
        if name.startswith(_SENTINELS):
            sentinels[name.removeprefix(_SENTINELS)] = text
        elif name in {"ssl", "ssl_check_hostname"}:
            options[name] = text.lower() in _TRUE
        elif name in {"protocol", "db"}:
            options[name] = _number(name, text)
        elif name == "ssl_cert_reqs" and text not in _CERTIFICATES:
            raise ValueError("has an option ssl_cert_reqs that is not none, optional or required")
        else:
            options[name] = text
    return options, sentinels


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise ValueError(f"has an option {name} that is no number")
    return int(text)


def _known() -> str:
    return ", ".join(sorted(_OPTIONS))
