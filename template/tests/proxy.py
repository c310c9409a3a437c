"""A TCP proxy that stands for the network, or for the server behind it: it can be cut, frozen,
slowed down and restored while clients keep asking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

CHUNK: Final = 65536


class Proxy:
    """Forwards connections to one server. Make it with `proxy_to`."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0
        self.delay = 0.0
        """Seconds that each piece of data waits, in each direction."""

    def url(self, url: str) -> str:
        """The URL of the server, through this proxy."""
        parts = urlsplit(url)
        credentials, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}").geturl()

    async def cut(self) -> None:
        """As if the server had crashed: connections are reset, new ones refused."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """As if the server had been paused: connections stay and are made, nothing moves."""
        self._flowing.clear()

    async def restore(self) -> None:
        """Everything works again; what was frozen on its way arrives."""
        self._flowing.set()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await self.cut()
        self._flowing.set()
        while self._writers:  # noqa: ASYNC110 - a few turns of the loop
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, behind_writer}
        await asyncio.gather(self._pump(reader, behind_writer), self._pump(behind_reader, writer))
        self._writers -= {writer, behind_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK):
                await asyncio.sleep(self.delay)
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the server that a URL names, on a free port of this host."""
    parts = urlsplit(url)
    default_port = {"redis": 6379}.get(parts.scheme, 5432)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or default_port)
    await proxy.restore()
    try:
        yield proxy
    finally:
        await proxy.close()
