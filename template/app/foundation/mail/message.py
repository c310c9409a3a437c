"""One mail, and what it may not hold."""

import re
from dataclasses import dataclass, field
from typing import Final

_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Mail:
    """One plain-text mail to one person."""

    to: str
    subject: str
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse line breaks where a header would be injected (CWE-93)."""
        if _CONTROL_CHARACTER.search(self.to + self.subject):
            raise ValueError("a mail's address and subject can't hold control characters")
