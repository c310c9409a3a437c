"""Mail: the table of what is promised, the outbox that sends it, and what it is sent with."""

from app.foundation.mail.letters import BadLetter, read_letter
from app.foundation.mail.mailers import ConsoleMailer, Mailer, MailRefused
from app.foundation.mail.message import Mail
from app.foundation.mail.models import QueuedMail
from app.foundation.mail.outbox import Outbox
from app.foundation.mail.queue import IS_GIVEN_UP, MailboxLimit, MailQueue, log_dropped
