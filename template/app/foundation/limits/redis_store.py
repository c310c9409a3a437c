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

COUNT: Final = """
local amount, window, known, left, lower = unpack(ARGV)
local kept = redis.call('get', KEYS[1])
if tonumber(kept or 0) < tonumber(known) and (not kept or lower == '1') then
    redis.call('set', KEYS[1], known, 'px', left)
end
local count = redis.call('incrby', KEYS[1], amount)
left = redis.call('pttl', KEYS[1])
if left < 0 then
    redis.call('pexpire', KEYS[1], window)
    left = tonumber(window)
end
return {count, left}
"""
"""Count on from what is known of the window when Redis has lost it: restarted, emptied, or another
server since a failover. Returns the count, and the milliseconds that its window still lasts."""

TAKE_BACK: Final = """
local kept = tonumber(redis.call('get', KEYS[1]) or 0)
if kept > 0 then redis.call('decrby', KEYS[1], math.min(kept, tonumber(ARGV[1]))) end
"""


class OurStorage(RedisStorage):
    """The library's, with scripts that know what was counted, and windows in milliseconds.

    Redis rounds seconds, and who came back half a second early would have to wait again.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._count = self._connection().register_script(COUNT)
        self._take_back = self._connection().register_script(TAKE_BACK)

    def _connection(self) -> Any:
        bridge: Any = self.bridge
        return bridge.get_connection()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return (await self.count(key, expiry, amount, (0, 0.0)))[0]

    async def count(
        self, key: str, expiry: int, amount: int, known: tuple[int, float], *, lower: bool = True
    ) -> tuple[int, float]:
        """Count, and tell how many there are and for how many more seconds.

        Args:
            known: the same of the last time that it was asked.
            lower: a window that has less than is known was lost too; without it, somebody may have
                taken some back.
        """
        left = max(1, int(known[1] * 1000))
        arguments = [amount, expiry * 1000, known[0], left, int(lower)]
        count, left = await self._count([self.bridge.prefixed_key(key)], arguments)
        return count, left / 1000

    async def take_back(self, key: str) -> None:
        """Count one less, if any is counted."""
        await self._take_back([self.bridge.prefixed_key(key)], [1])

    async def clear(self, key: str) -> None:
        """Count from 0 in the same window: one that is gone would be thought lost."""
        await self._take_back([self.bridge.prefixed_key(key)], [2**31])

    async def get_expiry(self, key: str) -> float:
        left: int = await self._connection().pttl(self.bridge.prefixed_key(key))
        return time.time() + max(left, 0) / 1000


class ServerStorage(OurStorage):
    """On one server."""


class ClusterStorage(OurStorage, RedisClusterStorage):
    """In a cluster, each counter where its key belongs."""


class SentinelStorage(OurStorage, RedisSentinelStorage):
    """On the server that the sentinels call the main one, whichever it is today."""


def open_store(url: str, key_prefix: str) -> OurStorage:
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


def _open_sentinels(address: RedisAddress, common: dict[str, Any]) -> OurStorage:
    # The library would sign in to the sentinels as to the servers.
    sentinels = {"username": None, "password": None} | dict(address.sentinel_options)  # nosec B105
    tls = {name: value for name, value in address.options if name.startswith("ssl")}
    return SentinelStorage(
        f"async+redis+sentinel://{address.hosts}/{address.service}",
        use_replicas=False,  # they lag behind
        sentinel_kwargs=sentinels | tls | _node_options(),
        **common,
        **dict(address.options),
        **_node_options(),
    )


async def close_store(store: OurStorage) -> None:
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
