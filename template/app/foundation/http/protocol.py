"""How uvicorn speaks HTTP/1.1 here: by its httptools protocol, with two differences.

`--http app.foundation.http.protocol:HttpProtocol`. Offers to upgrade are declined: Java's
`HttpClient` offers `Upgrade: h2c` with its requests. A server may ignore the offer and answer as
usual (RFC 9110 §7.8); httptools ends such a request after its headers, and uvicorn serves it
without its body. And a stop loses no request on its way: uvicorn closes all idle connections, also
one whose first bytes are about to arrive.
"""

from typing import Final

try:
    import httptools
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
except ImportError:  # on Windows; h11 declines by itself
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    _INVALID: Final = "Invalid HTTP request received."
    _CONNECT: Final = b"CONNECT"
    _UPGRADE: Final = b"upgrade"
    _LINGER_SECONDS: Final = 0.5

    class HttpProtocol(HttpToolsProtocol):  # type: ignore[no-redef]
        """uvicorn's, except that a request with an offer is read a second time, without it, and
        that an idle connection may bring one more request after the stop."""

        _is_last = False

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
                if self._is_last and not self._is_idle():
                    self.cycle.keep_alive = False

        def on_message_complete(self) -> None:
            if not self._declines():
                super().on_message_complete()

        def shutdown(self) -> None:
            if self._is_idle():
                self._is_last = True
                self.loop.call_later(_LINGER_SECONDS, self._close_if_idle)
            else:
                super().shutdown()

        def _close_if_idle(self) -> None:
            if self._is_idle():
                self.transport.close()

        def _is_idle(self) -> bool:
            cycle: RequestResponseCycle | None = self.cycle
            return cycle is None or cycle.response_complete

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
