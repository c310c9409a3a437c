"""Whose address counts: the socket's, unless trusted proxies vouch for another."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from app.foundation.checks.formats import UNIX_SOCKET
from app.foundation.http.client_address import (
    MAX_HOPS,
    UNKNOWN,
    TrustedProxies,
    client_address,
    parse_address,
    rate_limit_key,
)

NETWORKS = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]

PROXIES = TrustedProxies(NETWORKS)
NOBODY = TrustedProxies()
UNIX = TrustedProxies([UNIX_SOCKET, ip_network("10.0.0.0/8")])

UNIX_PEERS: dict[str, dict[str, Any]] = {
    "uvicorn": {"client": None, "server": ("/run/api.sock", None)},
    "hypercorn": {"client": None, "server": ("/run/api.sock", None)},
    "granian": {"client": ("", "0"), "server": ("", "0")},
    "an abstract socket": {"client": None, "server": None},
}


def scope(peer: str | None, *forwarded: str, **others: str) -> Scope:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    headers += [(name.encode(), value.encode()) for name, value in others.items()]
    return {"type": "http", "client": (peer, 4711) if peer else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("testclient", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_the_peer_of_the_socket_is_the_client(peer: str | None, address: str) -> None:
    assert client_address(scope(peer), NOBODY) == address


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip"])
def test_a_header_changes_nothing_without_a_trusted_proxy(header: str) -> None:
    spoofed = scope("192.0.2.1", **{header: "198.51.100.7"})

    assert client_address(spoofed, NOBODY) == "192.0.2.1"
    assert client_address(spoofed, PROXIES) == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        # What the client itself sent stands to the left of what the proxy added.
        (["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        (["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, 10.1.1.1, 10.2.2.2"], "198.51.100.7"),
        (["198.51.100.7:4711"], "198.51.100.7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, ,"], "198.51.100.7"),
        (["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        # Junk vouches for nobody: the chain ends at the proxy that passed it on.
        (["1.1.1.1, junk"], "10.0.0.1"),
        (["1.1.1.1, junk, 10.9.9.9"], "10.9.9.9"),
        (["unknown"], "10.0.0.1"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_behind_trusted_proxies_the_right_most_untrusted_hop_is_the_client(
    forwarded: list[str], address: str
) -> None:
    behind_proxy = scope("10.0.0.1", *forwarded, **{"x-real-ip": "203.0.113.9"})

    assert client_address(behind_proxy, PROXIES) == address


def test_a_proxy_is_trusted_over_a_mapped_or_an_ipv6_socket_too() -> None:
    assert client_address(scope("::ffff:10.0.0.1", "192.0.2.9"), PROXIES) == "192.0.2.9"
    assert client_address(scope("2001:db8:ffff::1", "192.0.2.9"), PROXIES) == "192.0.2.9"


@given(st.lists(st.text(st.characters(codec="latin-1"))))
def test_any_header_gives_an_address(forwarded: list[str]) -> None:
    address = client_address(scope("10.0.0.1", *forwarded), PROXIES)

    assert str(ip_address(address)) == address


@given(
    st.text(st.characters(codec="latin-1")),
    st.ip_addresses().filter(lambda address: not any(address in network for network in NETWORKS)),
)
def test_nothing_a_client_sends_hides_the_address_that_its_proxy_saw(
    sent: str, seen: object
) -> None:
    behind_proxy = client_address(scope("10.0.0.1", f"{sent}, {seen}"), PROXIES)

    assert behind_proxy == client_address(scope(str(seen)), NOBODY)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_is_read_with_and_without_a_port(address: object, port: int) -> None:
    text = f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"

    assert parse_address(text) == parse_address(str(address)) is not None


def test_a_chain_is_followed_through_so_many_proxies() -> None:
    hops = ["198.51.100.7", *["10.0.0.2"] * (MAX_HOPS - 1)]
    assert client_address(scope("10.0.0.1", ", ".join(hops)), PROXIES) == "198.51.100.7"
    assert client_address(scope("10.0.0.1", *hops), PROXIES) == "198.51.100.7"

    longer = [*hops, "10.0.0.3"]
    assert client_address(scope("10.0.0.1", ", ".join(longer)), PROXIES) == "10.0.0.2"
    assert client_address(scope("10.0.0.1", *longer), PROXIES) == "10.0.0.2"


def test_an_overlong_address_is_junk() -> None:
    assert parse_address("::1%" + "x" * 100) is None


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        (UNKNOWN, UNKNOWN),
    ],
)
def test_limits_count_an_ipv4_address_or_an_ipv6_network(address: str, key: str) -> None:
    assert rate_limit_key(address) == key


@pytest.mark.parametrize("server", UNIX_PEERS)
def test_a_proxy_on_a_unix_socket_vouches_when_it_is_trusted(server: str) -> None:
    forwarded = {**scope(None, "198.51.100.7, 10.0.0.1"), **UNIX_PEERS[server]}
    silent = {**scope(None), **UNIX_PEERS[server]}

    assert client_address(forwarded, UNIX) == "198.51.100.7"
    assert client_address(silent, UNIX) == UNKNOWN
    for others in (NOBODY, PROXIES):
        assert client_address(forwarded, others) == UNKNOWN


@pytest.mark.parametrize("server", [("192.0.2.1", 8000), ("192.0.2.1", "8000"), ("::1", 8000)])
def test_a_client_that_hung_up_did_not_come_by_a_unix_socket(server: tuple[str, object]) -> None:
    """Its socket has no peer any more, as uvicorn says it; the server's end still has a port."""
    hung_up = {**scope(None, "198.51.100.7"), "server": server}

    assert client_address(hung_up, UNIX) == UNKNOWN
    assert client_address(scope("192.0.2.9", "198.51.100.7"), UNIX) == "192.0.2.9"
