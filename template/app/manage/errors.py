"""An error that stops an operator's command: one sentence, and the fix."""

from sqlalchemy.exc import DBAPIError

from app.errors import Unavailable
from app.foundation.database import WrongDatabase, advice, sentence


class CommandError(Exception):
    """
    Args:
        hint: what to do about it.
        exit_code: 1 for a failure, 2 for wrong usage.
    """

    def __init__(self, message: str, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code


def what_is_wrong(error: Unavailable | DBAPIError) -> tuple[str, str]:
    """Why we can't work with the database, in its own words if it gave any, and what to do."""
    if isinstance(error, WrongDatabase):
        return error.problem, error.fix
    said = error if isinstance(error, DBAPIError) else error.__cause__
    if isinstance(said, DBAPIError):
        return f"refuses: {sentence(said)}", advice(said) or "correct DATABASE_URL, or the database"
    return "does not answer", "start it, or correct DATABASE_URL"
