"""How uvicorn reads requests here: whoever offers an upgrade is served, with its body."""

import asyncio
import json
from typing import Any

from tests.helpers import GIVE_UP_SECONDS
from tests.live import Serve, Server

CREDENTIALS = b'{"email": "ada@example.com", "password": "Correct-Horse-7"}'

OFFERS = {
    "java": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n",
    "nobody's": b"Connection: keep-alive, upgrade\r\nUPGRADE: Foo/2\r\n",
    "a web socket": b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
}


def post(offer: bytes, *, chunked: bool = False) -> bytes:
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + offer
    if chunked:
        size = f"{len(CREDENTIALS):x}".encode()
        chunks = b"%s\r\n%s\r\n0\r\n\r\n" % (size, CREDENTIALS)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    return head + b"Content-Length: %d\r\n\r\n" % len(CREDENTIALS) + CREDENTIALS


async def talk(server: Server, *pieces: bytes, answers: int = 1) -> list[tuple[int, Any]]:
    """Send pieces, each in a packet of its own; the status and body of each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    read = [await asyncio.wait_for(read_answer(reader), GIVE_UP_SECONDS) for _ in range(answers)]
    writer.close()
    return read


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].split("\r\n")[0])
    body = await reader.readexactly(length)
    return int(head.split()[1]), json.loads(body)


async def test_an_offer_to_upgrade_is_declined_and_its_request_served(serve: Serve) -> None:
    async with serve() as server:
        for offer in OFFERS.values():
            await every_packet_arrives(server, offer)
        await what_follows_is_served_too(server, OFFERS["java"])
        await no_tunnel_is_opened(server)


async def every_packet_arrives(server: Server, offer: bytes) -> None:
    whole = post(offer)
    head, end, body = whole.partition(b"\r\n\r\n")
    for pieces in (
        [whole],
        [post(offer, chunked=True)],
        [head + end, body],
        [head[:90], head[90:] + end + body[:5], body[5:]],
    ):
        [(status, answer)] = await talk(server, *pieces)
        assert (status, answer["error"]["code"]) == (401, "invalid_credentials")


async def what_follows_is_served_too(server: Server, offer: bytes) -> None:
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n%s\r\n"
    pipelined = [health % offer, post(offer), health % b"", health % offer]
    statuses = [status for status, _ in await talk(server, b"".join(pipelined), answers=4)]
    assert statuses == [200, 401, 200, 200]
    many = await talk(server, health % offer * 1000, answers=1000)
    assert {status for status, _ in many} == {200}


async def no_tunnel_is_opened(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n")
    assert int((await asyncio.wait_for(reader.readline(), GIVE_UP_SECONDS)).split()[1]) >= 400
    writer.close()


async def test_a_body_that_a_server_loses_is_said_to_be_lost(serve: Serve) -> None:
    """As uvicorn does when it is started without our protocol."""
    async with serve(options=["--http", "httptools"]) as server:
        for chunked in (False, True):
            [(status, answer)] = await talk(server, post(OFFERS["java"], chunked=chunked))
            assert (status, answer["error"]["code"]) == (400, "upgrade_unsupported")
