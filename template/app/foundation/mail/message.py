"""One mail, and what it may not hold."""

import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

MAX_BYTES: Final = 64 * 1024
"""Of subject, text and HTML together."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person, as text and perhaps as HTML.

    Args:
        id: the same at each try, so that a mail server or client can tell that it has it already.
    """

    to: str
    subject: str
    text: str = field(repr=False)
    html: str = field(default="", repr=False)
    id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        """Refuse line breaks where a header would be injected (CWE-93), and what is too large."""
        if _CONTROL_CHARACTER.search(self.to + self.subject):
            raise ValueError("a mail's address and subject can't hold control characters")
        if len((self.subject + self.text + self.html).encode()) > MAX_BYTES:
            raise ValueError(f"a mail has at most {MAX_BYTES} bytes")
