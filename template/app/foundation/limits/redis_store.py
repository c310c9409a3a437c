"""The library's counters in Redis: on one server, in a cluster, or where the sentinels say."""

import time
from typing import Any, Final

from limits.aio.storage import RedisClusterStorage, RedisSentinelStorage, RedisStorage
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.foundation.checks.redis_urls import RedisAddress, parse_redis_url

SOCKET_SECONDS: Final = 1.0
"""Only should the caller's own clock fail: the client's goes on while this process rests."""

NODE_SECONDS: Final = 0.1
"""For each of several nodes or sentinels: one that is away leaves time to ask another."""

NODE_RETRIES: Final = 2


class _Milliseconds(RedisStorage):
    """The library's, except that it asks for the end of a window in milliseconds.

    Redis rounds seconds, and who came back half a second early would have to wait again.
    """

    async def get_expiry(self, key: str) -> float:
        bridge = self.bridge
        left: int = await bridge.get_connection().pttl(bridge.prefixed_key(key))  # type: ignore[attr-defined]
        return time.time() + max(left, 0) / 1000


class ServerStorage(_Milliseconds):
    """On one server."""


class ClusterStorage(_Milliseconds, RedisClusterStorage):
    """In a cluster, each counter where its key belongs."""


class SentinelStorage(_Milliseconds, RedisSentinelStorage):
    """On the server that the sentinels call the main one, whichever it is today."""


def open_store(url: str, key_prefix: str) -> RedisStorage:
    """Nothing connects before it is first used."""
    address = parse_redis_url(url)
    common: dict[str, Any] = {"implementation": "redispy", "key_prefix": key_prefix}
    if address.kind == "cluster":
        options = dict(address.options) | _node_options()
        return ClusterStorage(f"async+redis+cluster://{address.hosts}", **common, **options)
    if address.kind == "sentinel":
        return _open_sentinels(address, common)
    # Redis reads its own URLs: the library refuses one without a port.
    pool: ConnectionPool = ConnectionPool.from_url(
        address.url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
    )
    return ServerStorage("async+redis://", **common | {"connection_pool": pool})


def _open_sentinels(address: RedisAddress, common: dict[str, Any]) -> RedisStorage:
    # The library would sign in to the sentinels as to the servers.
    sentinels = {"username": None, "password": None} | dict(address.sentinel_options)
    tls = {name: value for name, value in address.options if name.startswith("ssl")}
    return SentinelStorage(
        f"async+redis+sentinel://{address.hosts}/{address.service}",
        use_replicas=False,  # they lag behind
        sentinel_kwargs=sentinels | tls | _node_options(),
        **common,
        **dict(address.options),
        **_node_options(),
    )


async def close_store(store: RedisStorage) -> None:
    """Let go of every connection."""
    bridge: Any = store.bridge
    if isinstance(store, ClusterStorage):
        await bridge.get_connection().aclose()
        return
    await bridge.get_connection().aclose(close_connection_pool=True)
    if isinstance(store, SentinelStorage):
        for sentinel in bridge.sentinel.sentinels:
            await sentinel.aclose(close_connection_pool=True)


def _node_options() -> dict[str, Any]:
    """A `Retry` keeps a state, so each has its own."""
    return {
        "socket_timeout": NODE_SECONDS,
        "socket_connect_timeout": NODE_SECONDS,
        "retry": Retry(NoBackoff(), NODE_RETRIES),
    }
