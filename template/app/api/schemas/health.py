"""Bodies of `/health`."""

from app.api.schemas.base import Output
from app.api.schemas.fields import Timestamp


class Health(Output):
    status: str
    timestamp: Timestamp
    version: str


class Readiness(Output):
    status: str
    database: str
    limits: str
    oldest_mail_seconds: int
    """How long the oldest mail that is promised and not sent has been waiting; 0: none is."""
