"""Which parts a version of the template offers: its own copier.yml says so."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache

from authkit import __version__
from authkit.template.source import released_file
from authkit.terminal.errors import UsageError


@dataclass(frozen=True)
class Parts:
    """What can be chosen, in the order of the answers file, and what is chosen unless told."""

    known: tuple[str, ...] = ()
    default: tuple[str, ...] = ()

    def require(self, names: Iterable[str]) -> None:
        """Refuse a name that is no part's."""
        for name in names:
            if name not in self.known:
                known = f"known are {', '.join(self.known)}" if self.known else "there are none"
                raise UsageError(f"there is no part {name}", known)

    def in_order(self, names: Collection[str]) -> tuple[str, ...]:
        """The same answer gives the same bytes, however it was spelled."""
        return tuple(name for name in self.known if name in names)


@cache
def parts_of(version: str = __version__) -> Parts:
    """The parts that can be chosen in that version; none before there were any."""
    import yaml

    question = yaml.safe_load(released_file("copier.yml", version)).get("parts")
    if question is None:
        return Parts()
    return Parts(tuple(question["choices"]), tuple(question["default"]))
