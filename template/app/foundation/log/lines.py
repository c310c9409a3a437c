"""Writing lines: each in one call, to the stream as it is now."""

import contextlib
import sys
from typing import Literal

StreamName = Literal["stdout", "stderr"]


class CurrentStream:
    """`sys.stdout` or `sys.stderr` as it is when written to, not as it was at configuration."""

    def __init__(self, name: StreamName) -> None:
        self._name = name

    def write(self, text: str) -> None:
        getattr(sys, self._name).write(text)

    def flush(self) -> None:
        getattr(sys, self._name).flush()


class LineLogger:
    """Writes each line in one call, so that lines of several workers or threads don't mix.

    structlog's WriteLogger keeps the stream it was made with, and PrintLogger makes two writes
    of a line when Python runs unbuffered, as it commonly does in a container.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: StreamName) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        # A log line that can't be written (a closed pipe) must not fail the request.
        with contextlib.suppress(OSError, ValueError):
            stream = getattr(sys, self._stream)
            stream.write(line + "\n")
            stream.flush()

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg
