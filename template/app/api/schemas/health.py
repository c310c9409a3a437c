"""Bodies of `/health`."""

from pydantic import Field

from app.api.schemas.base import Output
from app.api.schemas.fields import Timestamp


class Health(Output):
    status: str = Field(examples=["ok"])
    timestamp: Timestamp
    version: str = Field(examples=["0.1.0"])


class Readiness(Output):
    status: str = Field(examples=["ok"])
    database: str = Field(examples=["ok"])
    limits: str = Field(examples=["ok"])
    oldest_mail_seconds: int = Field(examples=[0])
    """How long the oldest unsent mail has waited; 0: none waits."""
