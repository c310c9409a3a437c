"""The caller of the present request or command: set where it comes in, read where an event is
written. So no function has to pass it on, and every log line has it, except for the agent.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from structlog import contextvars

LONGEST_AGENT: Final = 255

_agent: ContextVar[bytes] = ContextVar("agent", default=b"")


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known about the caller; None for the rest.

    Args:
        actor: if they act on another person's account, "admin <id>" or "operator <name>".
    """

    client: str | None = None
    request_id: str | None = None
    session_id: UUID | None = None
    actor: str | None = None


def enter_request(request_id: str, client: str, agent: bytes | None) -> None:
    # Cleared first: a task may inherit the context of an earlier one on its connection.
    contextvars.clear_contextvars()
    contextvars.bind_contextvars(request_id=request_id, client=client)
    _agent.set(agent or b"")


def bind(**known: str | UUID) -> None:
    """Say more of the caller: fields of `Caller`."""
    contextvars.bind_contextvars(**{name: str(value) for name, value in known.items()})


def caller() -> Caller:
    known = contextvars.get_contextvars()
    session_id = known.get("session_id")
    return Caller(
        client=known.get("client"),
        request_id=known.get("request_id"),
        session_id=UUID(session_id) if session_id else None,
        actor=known.get("actor"),
    )


def user_agent() -> str | None:
    """What the client says of itself, printable and short."""
    text = _agent.get()[:LONGEST_AGENT].decode("latin-1")
    return "".join(filter(str.isprintable, text)) or None
