"""How uvicorn reads HTTP/1.1 here: with its httptools protocol, but offers to upgrade are declined.

`--http app.foundation.http.protocol:HttpProtocol`. Java's `HttpClient` offers `Upgrade: h2c` with
what it sends. A server that does not take the offer answers as if it had not been made (RFC 9110
§7.8); httptools ends such a request after its headers, and uvicorn serves it without its body.
"""

from typing import Final

try:
    import httptools
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError:  # on Windows; h11 declines by itself
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    _INVALID: Final = "Invalid HTTP request received."
    _CONNECT: Final = b"CONNECT"
    _UPGRADE: Final = b"upgrade"

    class HttpProtocol(HttpToolsProtocol):  # type: ignore[no-redef]
        """uvicorn's, except that a request with an offer is read a second time, without it."""

        def data_received(self, data: bytes) -> None:
            self._unset_keepalive_if_required()
            rest = memoryview(data)
            try:
                while (consumed := self._feed(rest)) is not None:
                    rest = rest[consumed:]
                    head = self._head_without_offer()
                    self.parser = httptools.HttpRequestParser(self)
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                    self.parser.feed_data(head)
            except httptools.HttpParserError:
                self.logger.warning(_INVALID)
                self.send_400_response(_INVALID)

        def on_headers_complete(self) -> None:
            if not self._declines():
                super().on_headers_complete()

        def on_message_complete(self) -> None:
            if not self._declines():
                super().on_message_complete()

        def _feed(self, data: memoryview) -> int | None:
            """Parse; the number of bytes up to the end of the head of a request whose offer is
            declined, or None when all is read."""
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self._declines():
                    return int(upgrade.args[0])
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
            return None

        def _declines(self) -> bool:
            """An offer, and not one of a WebSocket that is taken. CONNECT is none."""
            if not self.parser.should_upgrade():
                return False
            return not self._should_upgrade() and self.parser.get_method() != _CONNECT

        def _head_without_offer(self) -> bytes:
            version = self.parser.get_http_version().encode("ascii")
            lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
            lines += [name + b": " + value for name, value in self.headers if name != _UPGRADE]
            return b"\r\n".join((*lines, b"", b""))
