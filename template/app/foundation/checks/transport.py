"""Whether others can read what we send to other hosts."""

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from app.foundation.checks.redis_urls import parse_redis_url

if TYPE_CHECKING:
    from app.config import Settings


def is_this_host(name: str) -> bool:
    """Tell whether data for this host never leaves the machine. A path is a Unix socket."""
    name = name.strip("[]").lower().removesuffix(".")
    if name in {"", "localhost"} or name.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def database_is_unverified(url: str) -> bool:
    """Tell whether we speak to a PostgreSQL on another host without a check of its identity."""
    parameters = parse_qs(urlsplit(url).query)
    if parameters.get("sslmode", [""])[0] in {"verify-ca", "verify-full"}:
        return False
    located = re.sub(r"^[^:]+://(?:[^@/?#]*@)?|[/?#].*$", "", url)
    hosts = [*located.split(","), *",".join(parameters.get("host", [])).split(",")]
    return not all(is_this_host(_without_port(host)) for host in hosts)


def redis_is_plain(url: str) -> bool:
    """Tell whether we speak to a Redis on another host without TLS."""
    address = parse_redis_url(url)
    if address.kind == "server":
        parts = urlsplit(address.url)
        return parts.scheme == "redis" and not is_this_host(parts.hostname or "")
    hosts = map(_without_port, address.hosts.split(","))
    return not dict(address.options).get("ssl") and not all(map(is_this_host, hosts))


def mail_is_plain(settings: "Settings") -> bool:
    """Tell whether mail, and reset links with it, goes to another host without TLS."""
    encrypted = settings.smtp_starttls or settings.smtp_port == 465  # where TLS comes first
    return not encrypted and not is_this_host(settings.smtp_host)


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]{1,5}$", "", host) if host.count(":") == 1 or "]" in host else host
