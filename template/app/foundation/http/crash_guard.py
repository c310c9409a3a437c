"""The last handler: it logs exceptions that nobody else caught, and answers in JSON."""

from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, ErrorCode, error_response

CRASH_MESSAGE: Final = "Something went wrong on our side. Quote the request id if you report it."

logger = structlog.get_logger()


class CrashGuardMiddleware:
    """Turn an unhandled exception into a 500 that says only the request id.

    It stands inside the CORS and security headers layers, unlike Starlette's own handler of last
    resort, so that a 500 keeps their headers. The traceback goes to the log, once, and never
    into the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        response_started = False

        async def watch(message: Message) -> None:
            nonlocal response_started
            response_started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except ClientDisconnect:
            logger.debug("http.client_disconnected")
        except Exception as error:  # noqa: BLE001 - the purpose of this layer
            response = error_response(_as_app_error(error, scope))
            if not response_started:
                await response(scope, receive, send)
            # Otherwise return: the server closes the connection, and the client sees a
            # truncated answer instead of one that looks whole.


def _as_app_error(error: Exception, scope: Scope) -> AppError:
    if isinstance(error, AppError):
        return error
    logger.error("http.crashed", exc_info=error)
    request_id = scope.get("state", {}).get("request_id", "")
    details = [{"field": "requestId", "message": request_id}]
    return AppError(500, ErrorCode.INTERNAL_ERROR, CRASH_MESSAGE, details)
