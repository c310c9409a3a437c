"""The errors that a user is meant to read, and the exit codes that scripts may rely on."""

from typing import Final

FAILED: Final = 1
USAGE: Final = 2
UPDATE_AVAILABLE: Final = 3
CONFLICTS: Final = 4
TOKEN_NOT_VALID: Final = 5
INTERRUPTED: Final = 130


class AuthkitError(Exception):
    """One sentence about what went wrong and, where there is one, the way out.

    `cli.main` prints it as `error: …` and `hint: …` and exits with `exit_code`; nothing else may.
    """

    def __init__(self, message: str, hint: str = "", exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class UsageError(AuthkitError):
    """The command was called wrongly, or was given something malformed."""

    def __init__(self, message: str, hint: str = "", exit_code: int = USAGE) -> None:
        super().__init__(message, hint, exit_code)
