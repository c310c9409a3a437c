"""Logging, called `log` so that nobody confuses it with the standard library's `logging`."""

from app.foundation.log.escaping import escape_control_characters
from app.foundation.log.lines import LineLogger, StreamName
from app.foundation.log.pipeline import LogFormat, configure_logging, standard_formatter
from app.foundation.log.redaction import REDACTED, redact_secrets
