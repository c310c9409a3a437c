"""A TCP proxy that holds back each answer: a Redis on the far side of a network.

`python -m benchmarks.delaying_proxy PORT TARGET_HOST TARGET_PORT MILLISECONDS`
"""

import asyncio
import sys


async def forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_seconds: float
) -> None:
    """Pass on each piece `delay_seconds` after it came; pieces overtake none and hold up none."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(65536):
        if delay_seconds:
            loop.call_later(delay_seconds, writer.write, data)
        else:
            writer.write(data)
    loop.call_later(delay_seconds, writer.close)


async def main(port: int, host: str, target_port: int, delay_ms: float) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, target_port)
        await asyncio.gather(
            forward(reader, far_writer, 0), forward(far_reader, writer, delay_ms / 1000)
        )

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
