"""What is found in a token, and the words for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authkit.terminal.safe_text import excerpt


@dataclass(frozen=True)
class Finding:
    """One reason or warning; `code` is for scripts, `message` for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Rules:
    """What a project demands of its own tokens, beyond a right signature."""

    issuer: str
    audience: str
    retired: Mapping[str, str] = field(default_factory=dict)
    """When each key was retired that the project remembers, by its id."""
    others: Mapping[str, str] = field(default_factory=dict)
    """What the project's keys of other kinds of tokens are called, by their id."""


def shown(value: Any) -> str:
    """A value as its JSON, shortened and safe to print."""
    return excerpt(json.dumps(value, ensure_ascii=False), 60)
