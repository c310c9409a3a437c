"""The client's address, by which limits, sessions and logs know it.

Any sender can write `X-Forwarded-For`, so it counts only as far as an unbroken chain of
TRUSTED_PROXIES vouches for it. `Forwarded` and `X-Real-IP` are never read.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from starlette.types import Scope

from app.foundation.checks.formats import UNIX_SOCKET

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN: Final = "unknown"
"""The client of a connection that has no address, as on a Unix socket. Nobody in particular."""

_WITH_PORT: Final = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d+)?|(?P<v4>[\d.]+):\d+")
_LONGEST_ADDRESS: Final = 64
MAX_HOPS: Final = 32
"""We follow a request through at most this many proxies."""
_IPV6_CUSTOMER_BITS: Final = 64
_IPV6_SITE_BITS: Final = 48


class TrustedProxies:
    """TRUSTED_PROXIES: the networks, and whether connections by a Unix socket are trusted."""

    def __init__(self, proxies: Iterable[Network | str] = ()) -> None:
        self.networks = [proxy for proxy in proxies if not isinstance(proxy, str)]
        self.unix_socket = UNIX_SOCKET in proxies

    def contain(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def client_address(scope: Scope, trusted: TrustedProxies) -> str:
    """Give the peer of the socket, or behind trusted proxies the right-most untrusted hop."""
    address = _peer(scope)
    if is_trusted_peer(scope, trusted):
        address = _first_untrusted(address, _forwarded_for(scope), trusted)
    return UNKNOWN if address is None else _text(address)


def is_trusted_peer(scope: Scope, trusted: TrustedProxies) -> bool:
    """Tell whether the other end of the connection is one of TRUSTED_PROXIES."""
    address = _peer(scope)
    if address is None:
        return trusted.unix_socket and came_by_unix_socket(scope)
    return bool(trusted.networks) and trusted.contain(address)


def _peer(scope: Scope) -> Address | None:
    peer = scope.get("client")
    return parse_address(peer[0]) if peer else None


def came_by_unix_socket(scope: Scope) -> bool:
    """Tell whether neither end of the connection is an address with a port.

    A client that hung up at once has lost its own; the server's end still has one.
    """
    peer, server = scope.get("client"), scope.get("server")
    # uvicorn gives None, granian ("", "0").
    return not (peer and peer[0]) and not (server and server[1] and int(server[1]))


@lru_cache(maxsize=8192)
def rate_limit_key(address: str) -> str:
    """Give what a limit counts: an IPv4 address, or the /64 that one IPv6 customer owns."""
    parsed = parse_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _IPV6_CUSTOMER_BITS), strict=False))
    return address


@lru_cache(maxsize=8192)
def site_key(key: str) -> str | None:
    """Give the /48 around a /64 that `rate_limit_key` gave: one site may have 65,536 of these."""
    if not key.endswith(f"/{_IPV6_CUSTOMER_BITS}"):
        return None
    return str(ipaddress.ip_network(key).supernet(new_prefix=_IPV6_SITE_BITS))


def parse_address(text: str) -> Address | None:
    """Read an address, with or without a port. An IPv4-mapped IPv6 address is the IPv4 one."""
    if len(text) > _LONGEST_ADDRESS:  # before it is matched, or remembered
        return None
    return _parse(text)


@lru_cache(maxsize=8192)
def _parse(text: str) -> Address | None:
    if match := _WITH_PORT.fullmatch(text):
        text = match["v6"] or match["v4"]
    try:
        # A zone ("%eth0") is local to a host and may hold any text: never part of an identity.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


_text = lru_cache(maxsize=8192)(str)


def _forwarded_for(scope: Scope) -> Iterator[str]:
    """Go through the hops of every X-Forwarded-For header, the nearest to us first."""
    for name, value in reversed(scope["headers"]):
        if name == b"x-forwarded-for":
            hops = value.decode("latin-1").rsplit(",", MAX_HOPS)
            yield from (hop for part in reversed(hops) if (hop := part.strip()))


def _first_untrusted(
    address: Address | None, hops: Iterator[str], trusted: TrustedProxies
) -> Address | None:
    """Follow the chain while each hop is trusted and names an address. Junk ends the chain, because
    nobody vouched for the hops before it. A maximal length ends it too: a client may name thousands
    of trusted proxies.
    """
    for hop in islice(hops, MAX_HOPS):
        next_address = parse_address(hop)
        if next_address is None:
            break
        address = next_address
        if not trusted.contain(address):
            break
    return address
