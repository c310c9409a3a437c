"""Bodies whose numbers keep all digits until they are checked."""

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class ExactNumbersRoute(APIRoute):
    """`APIRouter(route_class=ExactNumbersRoute)`: a number with a point comes as a `Decimal`. A
    float would lose the end of 0.1234567890123456789 before a check could refuse it.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            return await handle(_ExactNumbers(request.scope, request.receive))

        return handle_exactly


class _ExactNumbers(Request):
    async def json(self) -> Any:
        return json.loads(await self.body(), parse_float=Decimal)
