"""The settings of this part."""

from app.foundation.checks.part_settings import PartSettings


class TokenSettings(PartSettings):
    personal_tokens_end_with_reset: bool = True
    """Who resets a password may have lost the account to somebody who then made a token."""
