"""What a new project is made for: its database and where it counts its limits."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from authkit.terminal.errors import AuthkitError, UsageError

CONNECT_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Service:
    """One of the two choices: what can be answered, and what a URL of it looks like."""

    option: str
    question: str
    kinds: tuple[str, str]
    """The one that needs nothing installed, then the server."""
    schemes: tuple[frozenset[str], frozenset[str]]
    """The URL schemes of each kind."""

    example: str
    """A URL, for a hint."""

    @property
    def url_option(self) -> str:
        return f"--{self.url_name}-url"

    @property
    def url_name(self) -> str:
        return "redis" if self.option == "limits" else self.option

    @property
    def variable(self) -> str:
        """The environment variable for a URL with a password, which argv would publish."""
        return f"AUTHKIT_{self.url_name.upper()}_URL"


DATABASE: Final = Service(
    "database",
    "Which database?",
    ("sqlite", "postgres"),
    (frozenset({"sqlite"}), frozenset({"postgres", "postgresql"})),
    "postgresql://postgres@127.0.0.1:5432/myapi or sqlite:///./app.db",
)
LIMITS: Final = Service(
    "limits",
    "Where are rate limits counted?",
    ("memory", "redis"),
    (frozenset(), frozenset({"redis", "rediss"})),
    "redis://127.0.0.1:6379/0",
)

EMAIL_CHANGE: Final = ("session", "password", "confirm")
"""What changing one's e-mail address wants; the first is the default."""

Ask = Callable[[str, tuple[str, ...], str], str]
"""Put a question with its possible answers (any, when there are none) and its default."""


def choose(
    service: Service, kind: str | None, url: str | None, default_url: dict[str, str], ask: Ask
) -> tuple[str, str]:
    """The kind and the URL, from what was given, or asked where nothing was."""
    url = given_url(service, url)
    if url:
        return kind_of(service, kind, url), url
    asked = kind is None
    if kind is None:
        kind = ask(service.question, service.kinds, service.kinds[0])
    url = default_url[kind]
    if asked and kind == service.kinds[1]:
        url = ask("At which URL?", (), url)
        kind_of(service, kind, url)
    return kind, url


def choose_email_change(ask: Ask) -> str:
    question = "What does a user need to change their address? (confirm: a mailed link as well)"
    return ask(question, EMAIL_CHANGE, EMAIL_CHANGE[0])


def given_url(service: Service, url: str | None) -> str | None:
    """The URL from the command line or, where it may hold a password, from the environment."""
    if not url:
        return os.environ.get(service.variable)
    if holds_password(split(service, url)):
        raise UsageError(
            f"{service.url_option} holds a password, which argv shows to everyone on this machine",
            f"put the URL into the variable {service.variable} and leave the option out",
        )
    return url


def holds_password(parts: SplitResult) -> bool:
    """Before the @, or among the parameters, where PostgreSQL and Redis take one too."""
    return parts.password is not None or "passw" in parts.query.lower()


def kind_of(service: Service, kind: str | None, url: str) -> str:
    """Which kind a URL is of; it must be the one that was asked for."""
    parts = split(service, url)
    scheme = parts.scheme.partition("+")[0]
    for candidate, schemes in zip(service.kinds, service.schemes, strict=True):
        if scheme in schemes:
            if kind not in {None, candidate}:
                raise UsageError(
                    f"--{service.option} {kind} contradicts a URL that starts with {scheme}://",
                    f"leave out --{service.option}; the URL says it already",
                )
            if scheme == "sqlite" and (parts.netloc or parts.path in {"", "/", "/:memory:"}):
                raise UsageError("a SQLite URL names a file", "sqlite:///./app.db")
            return candidate
    known = ", ".join(sorted(f"{scheme}://" for group in service.schemes for scheme in group))
    raise UsageError(
        f"the {service.url_name} URL starts with {scheme or 'nothing'}://", f"known are {known}"
    )


def split(service: Service, url: str) -> SplitResult:
    """A URL in its parts; its text never shows up in a message, since it may hold a password."""
    unreadable = UsageError(f"the {service.url_name} URL can't be read", f"write {service.example}")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise unreadable from None
    if "://" not in url or not (parts.netloc or parts.path.strip("/")):
        raise unreadable
    return parts


def answers(url: str, default_port: int) -> bool:
    """Whether something listens where `url` points to. No byte is sent."""
    parts = urlsplit(url)
    if not parts.hostname:
        return True  # a Unix socket, or a name that only the driver can resolve
    try:
        address = (parts.hostname, parts.port or default_port)
        with socket.create_connection(address, timeout=CONNECT_SECONDS):
            return True
    except (OSError, UnicodeError):  # nobody there, or no name at all: "a..b"
        return False


def require_postgres(url: str) -> None:
    """Say that PostgreSQL is away before anything is installed, not after a minute."""
    if not answers(url, 5432):
        parts = urlsplit(url)
        raise AuthkitError(
            f"no PostgreSQL answers at {parts.hostname}:{parts.port or 5432}",
            "start it, name another with --database-url, or write the files alone: --no-install",
        )
