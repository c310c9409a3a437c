"""One question for everybody who asks at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

SHARED_SECONDS: Final = 1.0

T = TypeVar("T")


class Shared(Generic[T]):
    """The answer of a question, asked once at a time and good for `SHARED_SECONDS`.

    More probes, at once or one after another, ask no more questions. A caller that goes away stops
    waiting; the question goes on for the others.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._answer: asyncio.Future[T] | None = None
        self._good_until = 0.0

    async def get(self) -> T:
        loop = asyncio.get_running_loop()
        if self._answer is None or (self._answer.done() and loop.time() >= self._good_until):
            self._answer = asyncio.ensure_future(self._ask())
            self._answer.add_done_callback(self._keep)
        return await asyncio.shield(self._answer)

    def _keep(self, answer: asyncio.Future[T]) -> None:
        self._good_until = answer.get_loop().time() + SHARED_SECONDS
