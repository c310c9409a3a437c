"""The key pairs of the part `jwks`, for `keys …`."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from app.accounts.key_rings import HS256
from app.jwks.key_pairs import (
    EDDSA,
    ES256,
    SECRET,
    key_pair_id,
    new_key_pair,
    one_line,
    read_key_pair,
)
from app.manage.errors import CommandError
from app.manage.key_families import Family, Slots

SIGNING: Final = "JWT_PRIVATE_KEYS"
STAGED: Final = "JWT_STAGED_PRIVATE_KEY"

Answer = TypeVar("Answer")


class KeyPairs:
    """Key pairs sign access tokens. What they take over from are the secrets, as `JWT_SECRET`."""

    algorithms: tuple[str, ...] = (EDDSA, ES256)
    names: tuple[str, ...] = (SIGNING, STAGED)
    tokens = "access"
    wait = "restart each host, wait 5 minutes for caches of the JWKS"

    def read(self, values: Mapping[str, str]) -> Slots:
        entries = [one_line(entry.strip()) for entry in values.get(SIGNING, "").split(",")]
        staged = one_line(values.get(STAGED, "").strip())
        return Slots(staged, tuple(filter(None, entries)))

    def write(self, slots: Slots) -> dict[str, str]:
        return {SIGNING: ",".join(slots.keys), STAGED: slots.staged}

    def make(self, algorithm: str) -> str:
        """One whose id does not look like an option of a command."""
        new = _told(new_key_pair, algorithm)
        return self.make(algorithm) if self.key_id(new).startswith("-") else new

    def key_id(self, key: str) -> str:
        return _told(key_pair_id, key)

    def algorithm(self, key: str) -> str:
        return HS256 if key == SECRET else _told(read_key_pair, key).algorithm

    def successors_of(self, slots: Slots) -> tuple[str, ...]:
        return slots.keys or (SECRET,)


def _told(function: Callable[[str], Answer], argument: str) -> Answer:
    """What is wrong with a key, as an operator is told it."""
    try:
        return function(argument)
    except ValueError as error:
        problem, _, fix = str(error).rpartition("; ")
        raise CommandError(f"a key of {SIGNING} or {STAGED} {problem}", fix) from None


KEY_FAMILY: Final[Family] = KeyPairs()
