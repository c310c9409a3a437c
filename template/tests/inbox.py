"""A real SMTP server that keeps what arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope


class Inbox:
    """Takes mails as long as `open` is set; until then whoever sends waits for its answer."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.mails: list[Message] = []
        self.recipients: list[str] = []
        self.busy = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.busy += 1
        try:
            await self.open.wait()
        finally:
            self.busy -= 1
        self.mails.append(message_from_bytes(envelope.original_content or b""))
        self.recipients += envelope.rcpt_tos
        return "250 OK"

    @property
    def texts(self) -> list[str]:
        """What their readers see, without the HTML."""
        parts = [part for mail in self.mails for part in mail.walk()]
        payloads = [
            part.get_payload(decode=True)
            for part in parts
            if part.get_content_type() == "text/plain"
        ]
        return [
            payload.decode().replace("\r\n", "\n")
            for payload in payloads
            if isinstance(payload, bytes)
        ]


@asynccontextmanager
async def smtp_server(inbox: Inbox, **options: Any) -> AsyncIterator[int]:
    """Runs until the end of the block; gives its port on 127.0.0.1."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, loop=loop, **options), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
