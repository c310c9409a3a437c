"""What stops an operator's command: one sentence, and the mend."""

from sqlalchemy.exc import DBAPIError


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


def reason_of(error: DBAPIError) -> str:
    """What the database itself said, on one line; without the statement and its parameters."""
    return str(error.orig).partition("\n")[0].rpartition(">: ")[2]
