"""The JSON bodies of requests and answers, and the base classes of your own."""

from app.api.schemas.base import Input, Message, Output
from app.api.schemas.fields import (
    Email,
    Name,
    NewPassword,
    Password,
    Timestamp,
    Token,
)
