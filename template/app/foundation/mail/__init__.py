"""Mail: what is sent, how it leaves, and the outbox that takes it off the request's path."""

from app.foundation.mail.mailers import ConsoleMailer, Mailer, MailRefused
from app.foundation.mail.message import Mail
from app.foundation.mail.outbox import Job, Outbox
