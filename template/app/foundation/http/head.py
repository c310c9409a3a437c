"""HEAD: every GET answers it, without a body (RFC 9110 §9.3.2). Monitors send little else."""

from collections.abc import Iterable

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Serve HEAD as GET and leave the body out, of errors too. Limits count it as they count GET.

    Args:
        routes: a route that names HEAD itself answers it itself.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self.app = app
        self.own = [
            route for route in iter_route_contexts(list(routes)) if "HEAD" in (route.methods or ())
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        inner = scope if self._is_own(scope) else {**scope, "method": "GET"}
        await self.app(inner, receive, send_without_body)

    def _is_own(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is Match.FULL for route in self.own)
