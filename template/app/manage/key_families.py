"""The settings of keys that replace each other: staged, signing, and earlier ones."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import SecretStr

from app import manage
from app.accounts.key_rings import HS256, key_id
from app.foundation.checks.formats import check_key
from app.foundation.checks.production import EXAMPLE_SECRET
from app.foundation.modules import modules_in
from app.manage.errors import CommandError

CURRENT: Final = "JWT_SECRET"
STAGED: Final = "JWT_STAGED_SECRET"
PREVIOUS: Final = "JWT_PREVIOUS_SECRETS"
SECRET_BYTES: Final = 48


@dataclass(frozen=True, slots=True)
class Slots:
    """Keys as the settings spell them."""

    staged: str = ""
    keys: tuple[str, ...] = ()
    """The one that signs, or "" where it is missing; then those that still verify."""


class Family(Protocol):
    """One kind of keys. A module of this folder can add one by the name `KEY_FAMILY`."""

    algorithms: tuple[str, ...]
    names: tuple[str, ...]
    """The settings that hold them."""
    tokens: str
    """What they sign."""
    wait: str
    """The step between staging a key and signing with it."""

    def read(self, values: Mapping[str, str]) -> Slots: ...

    def write(self, slots: Slots) -> dict[str, str]:
        """The settings that say so."""

    def make(self, algorithm: str) -> str: ...

    def key_id(self, key: str) -> str: ...

    def algorithm(self, key: str) -> str: ...

    def successors_of(self, slots: Slots) -> tuple[str, ...]:
        """The keys that still verify after another key signs."""


class Secrets:
    """Secrets sign refresh tokens, and access tokens unless another family does."""

    algorithms: tuple[str, ...] = (HS256,)
    names: tuple[str, ...] = (CURRENT, STAGED, PREVIOUS)
    tokens = "access, refresh"
    wait = "restart each host"

    def read(self, values: Mapping[str, str]) -> Slots:
        current = values.get(CURRENT, "").strip()
        earlier = [secret.strip() for secret in values.get(PREVIOUS, "").split(",")]
        # Once each: whoever went back to an earlier secret may have left it among the earlier ones.
        keys = tuple(dict.fromkeys((current, *filter(None, earlier))))
        return Slots(values.get(STAGED, "").strip(), keys if any(keys) else ())

    def write(self, slots: Slots) -> dict[str, str]:
        current, *previous = slots.keys
        return {CURRENT: current, STAGED: slots.staged, PREVIOUS: ",".join(previous)}

    def make(self, algorithm: str) -> str:
        return secrets.token_urlsafe(SECRET_BYTES)

    def key_id(self, key: str) -> str:
        return key_id(key)

    def algorithm(self, key: str) -> str:
        return HS256

    def successors_of(self, slots: Slots) -> tuple[str, ...]:
        """Not the example, which everybody knows, and not a secret that the settings refuse: their
        message tells people to rotate."""
        if slots.keys and "," in slots.keys[0] and _may_verify(slots.keys[0]):
            raise CommandError(
                f"{CURRENT} holds a comma, so it can't become one of {PREVIOUS}",
                f"replace {CURRENT} in .env by hand; everybody signs in again",
            )
        return tuple(filter(_may_verify, slots.keys[:1])) + slots.keys[1:]


SECRETS: Final[Family] = Secrets()


def families() -> list[Family]:
    """The secrets first, then the families of this folder's modules."""
    found = [vars(module).get("KEY_FAMILY") for module in modules_in(manage)]
    return [SECRETS, *filter(None, found)]


def _may_verify(secret: str) -> bool:
    try:
        check_key(SecretStr(secret))
    except ValueError:
        return False
    return secret != EXAMPLE_SECRET
