"""Takes the refresh token out of answers into a cookie, and from the cookie into requests.

The endpoints know nothing of it: they see the bodies that docs/api.md describes.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.tokens import InvalidToken, TokenType
from app.api.refresh_cookie.cookie import end_cookie, read_cookie, set_cookie
from app.errors import ErrorCode
from app.foundation.http.cors import CorsMiddleware
from app.foundation.http.headers import request_header
from app.foundation.http.paths import route_path
from app.foundation.limits.read_ahead import READ_AHEAD, read_ahead
from app.services import Services

_GIVES: Final = {"/api/auth/login", "/api/auth/register", "/api/auth/refresh"}

_TAKES: Final = {"/api/auth/refresh", "/api/auth/logout"}

_FIELD: Final = "refreshToken"

_CREDENTIALS: Final = (b"access-control-allow-credentials", b"true")


class RefreshCookieMiddleware:
    """Stands outside the CORS layer, since only a listed origin may send credentials along.

    Args:
        samesite: "strict" or "lax".
    """

    def __init__(self, app: ASGIApp, services: Services, samesite: str) -> None:
        self.app = app
        self._services = services
        self._samesite = samesite
        self._cors = CorsMiddleware(app, services.settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = route_path(scope) if scope["method"] == "POST" else ""
        token = read_cookie(scope) if path in _TAKES and self._is_ours(scope) else None
        if token is not None:
            scope, receive = await self._with_token(scope, receive, token)
        send = _with_credentials(send)
        if path in _GIVES | _TAKES:
            send = _rewritten(send, lambda status, body: self._answer(path, status, body))
        await self.app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        """Whether a page of ours asks, by the `Origin` that every browser sends with a POST.

        This and the content type, which the API insists on, are the defence against forged
        requests (OWASP CSRF Prevention Cheat Sheet): without it the cookie is not looked at.
        """
        origin = (request_header(scope, b"origin") or b"").decode("latin-1")
        host = (request_header(scope, b"host") or b"").decode("latin-1").lower()
        return bool(origin) and (
            origin.partition("://")[2].lower() in {host, host.removesuffix(":443")}
            or self._cors.is_allowed_origin(origin)
        )

    async def _with_token(
        self, scope: Scope, receive: Receive, token: str
    ) -> tuple[Scope, Receive]:
        """Put the token into the body, unless it names one itself."""
        receive = await read_ahead(scope, receive, self._services.settings.max_body_bytes)
        try:
            body = json.loads(scope.get(READ_AHEAD) or b"{}")
            if not isinstance(body, dict) or _FIELD in body or READ_AHEAD not in scope:
                return scope, receive
            data = json.dumps(body | {_FIELD: token}).encode()
        except (ValueError, RecursionError):
            return scope, receive  # refused by who reads it
        dropped = {b"content-length", b"transfer-encoding"}
        headers = [header for header in scope["headers"] if header[0] not in dropped]
        headers.append((b"content-length", str(len(data)).encode()))
        messages: list[Message] = [{"type": "http.request", "body": data}]

        async def receive_ours() -> Message:
            if messages:
                return messages.pop()
            while (message := await receive())["type"] == "http.request":
                pass  # what was read ahead, once more
            return message

        return {**scope, "headers": headers}, receive_ours

    def _answer(self, path: str, status: int, body: dict[str, Any]) -> bytes | None:
        """Take the token out of an answer; returns the cookie to set, if any."""
        if path in _GIVES and _FIELD in body:
            return self._cookie(body.pop(_FIELD))
        ended = status == 200 or body.get("error", {}).get("code") == ErrorCode.INVALID_TOKEN
        return end_cookie(self._samesite) if path in _TAKES and ended else None

    def _cookie(self, token: str) -> bytes | None:
        try:
            expires_at = self._services.tokens.read(token, TokenType.REFRESH).expires_at
        except InvalidToken:
            return None
        return set_cookie(token, expires_at, self._samesite)


def _with_credentials(send: Send) -> Send:
    """Let a browser send and keep the cookie where CORS lets it read the answer at all."""

    async def send_with_credentials(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if any(name.lower() == b"access-control-allow-origin" for name, _ in headers):
                headers.append(_CREDENTIALS)
            message["headers"] = headers
        await send(message)

    return send_with_credentials


def _rewritten(send: Send, change: Callable[[int, dict[str, Any]], bytes | None]) -> Send:
    """Let an answer be changed before it goes out; all of them here are short JSON objects."""
    start: Message = {}
    parts: list[bytes] = []

    async def send_rewritten(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        body = json.loads(b"".join(parts) or b"{}")
        cookie = change(start["status"], body)
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [header for header in start["headers"] if header[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(data)).encode()))
        if cookie is not None:
            headers.append((b"set-cookie", cookie))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    return send_rewritten
