"""The texts of the mails, one file a kind: yours to edit.

The first line is the subject; the rest, after an empty line, is the text, with `{app_name}`,
`{detail}`, `{link}`, `{minutes}` and `{days}` filled in. `layout.html` is put around it as HTML.
For a kind of your own, add a name here and a file beside it, and call `services.outbox.promise(db,
kind, …)` in the transaction of the change that it reports. `python -m app.manage mail preview`
shows them all.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

LETTERS: Final = Path(__file__).parent


class MailKind(StrEnum):
    PASSWORD_RESET = "password_reset"  # noqa: S105  # nosec B105
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # nosec B105
    EMAIL_CHANGED = "email_changed"
    EMAIL_ADDED = "email_added"
    EMAIL_CONFIRM = "email_confirm"
    ACCOUNT_DELETED = "account_deleted"
    INVITATION = "invitation"


TELLING: Final = frozenset({MailKind.PASSWORD_RESET, MailKind.EMAIL_CONFIRM})
"""Whether one of these is sent tells whether its address has an account. So no figure that
everybody sees counts them: it would show one that the mail server puts off."""
