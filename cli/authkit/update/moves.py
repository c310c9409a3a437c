"""What moved between two versions of the template: `template/moved.toml`, read and put in order.

The file is data of the template, not of a project: it is in the bundle and is never rendered.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from packaging.version import Version

MOVED: Final = "template/moved.toml"


@dataclass(frozen=True)
class Settled:
    """Lines that an owner had to edit before, and that need no edit any more."""

    file: str
    lines: tuple[str, ...]
    """Regular expressions; only where every one of them matches is anything settled."""
    where: str
    """The file that makes the edit unneeded, `{}` for each word that the owner added."""


@dataclass(frozen=True)
class Renames:
    """Where a dotted name is now."""

    modules: Mapping[str, str]
    """Old to new; what is below a module moves with it."""
    names: Mapping[str, str]
    """`old.module.name` to `new.module.name`, for what went elsewhere than its module."""
    gone: Mapping[str, str]
    """`old.module.name` to what to write in its place."""

    def may_concern(self, text: str) -> bool:
        """Whether a file can name any of these: most files of most updates are spared parsing."""
        return self._last_words.search(text) is not None

    @cached_property
    def _last_words(self) -> re.Pattern[str]:
        old = {*self.modules, *self.names, *self.gone}
        words = sorted({re.escape(name.rpartition(".")[2]) for name in old})
        return re.compile(rf"\b(?:{'|'.join(words)})\b" if words else r"(?!)")

    def module(self, dotted: str) -> str:
        """A module by its new name."""
        parts = dotted.split(".")
        for count in range(len(parts), 0, -1):
            if (new := self.modules.get(".".join(parts[:count]))) is not None:
                return ".".join([new, *parts[count:]])
        return dotted

    def member(self, module: str, name: str) -> tuple[str, str]:
        """What `from module import name` has to say: the module and the name."""
        old = f"{module}.{name}"
        new = self.names.get(old) or self.modules.get(old)
        if new is None or "." not in new:
            return self.module(module), name
        parent, _, renamed = new.rpartition(".")
        return parent, renamed

    def path(self, dotted: str) -> tuple[str, str | None]:
        """A path of attributes that starts at a package: the new one, and the module it needs.

        None is needed but what is imported already, unless the name went elsewhere than its module.
        """
        parts = dotted.split(".")
        for count in range(len(parts), 0, -1):
            prefix, rest = ".".join(parts[:count]), parts[count:]
            if (new := self.names.get(prefix)) is not None:
                return ".".join([new, *rest]), new.rpartition(".")[0]
            if (new := self.modules.get(prefix)) is not None:
                return ".".join([new, *rest]), None
        return dotted, None


@dataclass(frozen=True)
class Moves:
    """What one version moved, and what it means for whoever deploys."""

    version: str
    files: Mapping[str, str]
    """Old path to new; a directory ends with a slash, and takes along what the owner has in it."""
    renames: Renames
    sections: Mapping[str, str]
    """`old.md#Heading` to `new.md#Heading`."""
    settled: tuple[Settled, ...]
    settings: Mapping[str, str]
    """Settings that are gone or have another name, and what to do about them."""
    behaviour: tuple[str, ...]
    """What an application that is deployed does differently."""


def between(text: str, old: str, new: str) -> list[Moves]:
    """The moves after `old`, up to and with `new`, the oldest first."""
    entries = [moves_of(entry) for entry in tomllib.loads(text).get("moves", [])]
    chosen = (moves for moves in entries if Version(old) < Version(moves.version) <= Version(new))
    return sorted(chosen, key=lambda moves: Version(moves.version))


def moves_of(entry: Mapping[str, Any]) -> Moves:
    files = dict(entry.get("files", {}))
    modules = {
        dotted(before): dotted(after)
        for before, after in files.items()
        if before.endswith((".py", "/"))
    }
    renames = Renames(
        modules | entry.get("modules", {}), entry.get("names", {}), entry.get("gone", {})
    )
    settled = tuple(
        Settled(each["file"], tuple(each["lines"]), each["where"])
        for each in entry.get("settled", [])
    )
    return Moves(
        entry["version"],
        files,
        renames,
        entry.get("sections", {}),
        settled,
        entry.get("settings", {}),
        tuple(entry.get("behaviour", [])),
    )


def dotted(path: str) -> str:
    """The module of a file, or the package of a directory."""
    return path.removesuffix(".py").removesuffix("/__init__").strip("/").replace("/", ".")
