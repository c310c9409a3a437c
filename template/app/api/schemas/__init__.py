"""What goes in and out, in JSON. Here is what an endpoint's own bodies are made of."""

from app.api.schemas.base import Input, Message, Output
from app.api.schemas.fields import (
    Email,
    Name,
    NewPassword,
    Password,
    Timestamp,
    Token,
)
